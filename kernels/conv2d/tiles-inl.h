// Vectors of channels of an output gradient, tile after tile: what the SIMD loops of this folder share. Included once
// for each instruction set, behind <hwy/highway.h>.
#if defined(PERCALE_CONV2D_TILES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef PERCALE_CONV2D_TILES_INL
#undef PERCALE_CONV2D_TILES_INL
#else
#define PERCALE_CONV2D_TILES_INL
#endif

#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, 16>;
using FloatVector = hn::Vec<Floats>;
constexpr int64_t float_lanes = hn::MaxLanes(Floats());

/// The first `count` elements (all if more than a vector), zeros behind them.
HWY_INLINE FloatVector load_some(const float* from, int64_t count) {
  const Floats d;
  if (count >= float_lanes) return hn::LoadU(d, from);
  HWY_ALIGN float buffer[float_lanes] = {};
  std::memcpy(buffer, from, static_cast<size_t>(count) * sizeof(float));
  return hn::Load(d, buffer);
}

HWY_INLINE void store_some(FloatVector values, float* to, int64_t count) {
  const Floats d;
  if (count >= float_lanes) return hn::StoreU(values, d, to);
  HWY_ALIGN float buffer[float_lanes];
  hn::Store(values, d, buffer);
  std::memcpy(to, buffer, static_cast<size_t>(count) * sizeof(float));
}

/// Bytes as lanes of the width of a float.
HWY_INLINE hn::Vec<hn::RebindToSigned<Floats>> load_bytes(const uint8_t* from, int64_t count) {
  const hn::Rebind<uint8_t, Floats> bytes;
  uint8_t buffer[16] = {};
  if (count < float_lanes) {
    std::memcpy(buffer, from, static_cast<size_t>(count));
    from = buffer;
  }
  return hn::PromoteTo(hn::RebindToSigned<Floats>(), hn::LoadU(bytes, from));
}

HWY_INLINE void store_bytes(hn::Vec<hn::RebindToSigned<Floats>> values, uint8_t* to, int64_t count) {
  const hn::Rebind<uint8_t, Floats> bytes;
  if (count >= float_lanes) return hn::StoreU(hn::DemoteTo(bytes, values), bytes, to);
  uint8_t buffer[16];
  hn::StoreU(hn::DemoteTo(bytes, values), bytes, buffer);
  std::memcpy(to, buffer, static_cast<size_t>(count));
}

/// Tiles of a gradient in memory. At odd edges a tile has fewer than four pixels.
struct DenseTiles {
  const float* gradient;
  int64_t height, width, channels;

  DenseTiles(const ConvolutionShape& s, const OutputGradient& from)
      : gradient(from.gradient), height(s.out_height), width(s.out_width), channels(s.out_channels) {}
  bool has(int64_t row, int64_t column, int pixel) const {
    return row * 2 + pixel / 2 < height && column * 2 + pixel % 2 < width;
  }

  struct Tile {
    const float* corner;
    int64_t row_step, column_step, count;
    HWY_INLINE FloatVector pixel(int i) const {
      return load_some(corner + i / 2 * row_step + i % 2 * column_step, count);
    }
  };
  /// `count` channels from `channel` on.
  HWY_INLINE Tile tile(int64_t row, int64_t column, int64_t channel, int64_t count) const {
    return {gradient + (row * 2 * width + column * 2) * channels + channel, width * channels, channels, count};
  }
  /// total + the tile's pixels.
  HWY_INLINE FloatVector add(FloatVector total, int64_t row, int64_t column, int64_t channel, int64_t count) const {
    const Tile from = tile(row, column, channel, count);
    for (int pixel = 0; pixel < 4; ++pixel)
      if (has(row, column, pixel)) total = hn::Add(total, from.pixel(pixel));
    return total;
  }
};

/// Windows of a pool: of each window's pixels one has the gradient, if ReLU let its value through.
struct PooledTiles {
  const float *gradient, *pooled;
  const uint8_t* position;
  int64_t height, width, channels;

  PooledTiles(const ConvolutionShape& s, const OutputGradient& from)
      : gradient(from.gradient),
        pooled(from.pooled),
        position(from.position),
        height(s.out_height / 2),
        width(s.out_width / 2),
        channels(s.out_channels) {}
  bool has(int64_t row, int64_t column, int) const { return row < height && column < width; }

  struct Tile {
    FloatVector gradient;
    hn::Vec<hn::RebindToSigned<Floats>> position;
    HWY_INLINE FloatVector pixel(int i) const {
      const Floats d;
      return hn::IfThenElseZero(hn::RebindMask(d, hn::Eq(position, hn::Set(hn::RebindToSigned<Floats>(), i))),
                                gradient);
    }
  };
  HWY_INLINE Tile tile(int64_t row, int64_t column, int64_t channel, int64_t count) const {
    const int64_t at = (row * width + column) * channels + channel;
    const FloatVector value = load_some(pooled + at, count);
    return {hn::IfThenZeroElse(hn::Le(value, hn::Zero(Floats())), load_some(gradient + at, count)),
            load_bytes(position + at, count)};
  }
  HWY_INLINE FloatVector add(FloatVector total, int64_t row, int64_t column, int64_t channel, int64_t count) const {
    return hn::Add(total, tile(row, column, channel, count).gradient);  // one pixel has it, the others are zero
  }
};

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
