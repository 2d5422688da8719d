// core/cuda/dnn.h on cuDNN's classic functions, which are looked up in libcudnn.so.9 when the first convolution runs.
#include <cudnn.h>

#include <array>
#include <map>
#include <mutex>
#include <optional>

#include "../error.h"
#include "dnn.h"
#include "shared_library.h"

namespace percale::cuda {
namespace {

#define PERCALE_CUDNN_FUNCTIONS(each)                  \
  each(cudnnCreate);                                   \
  each(cudnnGetVersion);                               \
  each(cudnnGetErrorString);                           \
  each(cudnnSetStream);                                \
  each(cudnnCreateTensorDescriptor);                   \
  each(cudnnSetTensor4dDescriptor);                    \
  each(cudnnCreateFilterDescriptor);                   \
  each(cudnnSetFilter4dDescriptor);                    \
  each(cudnnCreateConvolutionDescriptor);              \
  each(cudnnSetConvolution2dDescriptor);               \
  each(cudnnSetConvolutionGroupCount);                 \
  each(cudnnSetConvolutionMathType);                   \
  each(cudnnCreateActivationDescriptor);               \
  each(cudnnSetActivationDescriptor);                  \
  each(cudnnGetConvolutionForwardAlgorithm_v7);        \
  each(cudnnGetConvolutionBackwardDataAlgorithm_v7);   \
  each(cudnnGetConvolutionBackwardFilterAlgorithm_v7); \
  each(cudnnConvolutionForward);                       \
  each(cudnnConvolutionBiasActivationForward);         \
  each(cudnnConvolutionBackwardData);                  \
  each(cudnnConvolutionBackwardFilter)

/// The functions of cuDNN that are used, by name.
struct Library : SharedLibrary {
#define PERCALE_CUDNN(name) decltype(&::name) name = nullptr
  PERCALE_CUDNN_FUNCTIONS(PERCALE_CUDNN);
#undef PERCALE_CUDNN
};

Library open_library() {
  Library library;
  library.open({"libcudnn.so.9", "/usr/local/cuda/lib64/libcudnn.so.9"},
               "cuDNN 9 was not found ({}): install cudnn9-cuda-13 from NVIDIA's apt repository, or put its folder in "
               "LD_LIBRARY_PATH");
  if (!library.handle) return library;
#define PERCALE_CUDNN(name) library.look_up(library.name, #name)
  PERCALE_CUDNN_FUNCTIONS(PERCALE_CUDNN);
#undef PERCALE_CUDNN
  return library;
}

const Library& opened() {
  static const Library library = open_library();
  return library;
}

const Library& cudnn() {
  const Library& library = opened();
  require(library.reason.empty(), "conv2d", "{}", library.reason);
  return library;
}

void check(cudnnStatus_t status, const char* what) {
  if (status != CUDNN_STATUS_SUCCESS) fail("conv2d", "{} failed: {}", {what, cudnn().cudnnGetErrorString(status)});
}

/// One handle for the process; whoever uses it holds `mutex`.
struct Context {
  std::mutex mutex;
  cudnnHandle_t handle = nullptr;
  cudnnActivationDescriptor_t relu = nullptr, identity = nullptr;

  Context() {
    const Library& lib = cudnn();
    check(lib.cudnnCreate(&handle), "cudnnCreate");
    describe(relu, CUDNN_ACTIVATION_RELU, CUDNN_PROPAGATE_NAN);
    describe(identity, CUDNN_ACTIVATION_IDENTITY, CUDNN_NOT_PROPAGATE_NAN);
  }

  static void describe(cudnnActivationDescriptor_t& activation, cudnnActivationMode_t mode, cudnnNanPropagation_t nan) {
    check(cudnn().cudnnCreateActivationDescriptor(&activation), "cudnnCreateActivationDescriptor");
    check(cudnn().cudnnSetActivationDescriptor(activation, mode, nan, 0.0), "cudnnSetActivationDescriptor");
  }
};

Context& context() {
  static Context& the_context = *new Context;  // never destroyed: the driver may be gone before
  return the_context;
}

cudnnDataType_t data_type(DType dtype) {
  switch (dtype) {
    case f32:
      return CUDNN_DATA_FLOAT;
    case f16:
      return CUDNN_DATA_HALF;
    case bf16:
      return CUDNN_DATA_BFLOAT16;
    default:
      unsupported("conv2d", dtype);
  }
}

struct Algorithm {
  int number = 0;
  size_t workspace = 0;
  cudnnMathType_t math = CUDNN_FMA_MATH;
};

/// A convolution's descriptors, and the algorithms chosen for its passes so far.
struct Plan {
  cudnnTensorDescriptor_t in, out, bias;
  cudnnFilterDescriptor_t weight;
  cudnnConvolutionDescriptor_t convolution;
  bool strict = false;                        ///< f32 without rounding of operands
  bool fuses_bias = true, fuses_relu = true;  ///< until cuDNN refuses
  std::array<std::optional<Algorithm>, 3> algorithms;

  explicit Plan(const Convolution& c) : strict(c.dtype == f32 && c.precision != Precision::tf32) {
    const Library& lib = cudnn();
    const ConvolutionShape& s = c.shape;
    const auto type = data_type(c.dtype);
    const auto describe = [&](cudnnTensorDescriptor_t& descriptor, int64_t n, int64_t channels, int64_t height,
                              int64_t width) {
      check(lib.cudnnCreateTensorDescriptor(&descriptor), "cudnnCreateTensorDescriptor");
      check(
          lib.cudnnSetTensor4dDescriptor(descriptor, CUDNN_TENSOR_NHWC, type, static_cast<int>(n),
                                         static_cast<int>(channels), static_cast<int>(height), static_cast<int>(width)),
          "cudnnSetTensor4dDescriptor");
    };
    describe(in, s.batch, s.in_channels, s.in_height, s.in_width);
    describe(out, s.batch, s.out_channels, s.out_height, s.out_width);
    describe(bias, 1, s.out_channels, 1, 1);
    check(lib.cudnnCreateFilterDescriptor(&weight), "cudnnCreateFilterDescriptor");
    check(lib.cudnnSetFilter4dDescriptor(weight, type, CUDNN_TENSOR_NHWC, static_cast<int>(s.out_channels),
                                         static_cast<int>(s.group_in_channels()), static_cast<int>(s.kernel_height),
                                         static_cast<int>(s.kernel_width)),
          "cudnnSetFilter4dDescriptor");
    check(lib.cudnnCreateConvolutionDescriptor(&convolution), "cudnnCreateConvolutionDescriptor");
    check(lib.cudnnSetConvolution2dDescriptor(
              convolution, static_cast<int>(s.padding_height), static_cast<int>(s.padding_width),
              static_cast<int>(s.stride_height), static_cast<int>(s.stride_width), static_cast<int>(s.dilation_height),
              static_cast<int>(s.dilation_width), CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
          "cudnnSetConvolution2dDescriptor");
    check(lib.cudnnSetConvolutionGroupCount(convolution, static_cast<int>(s.groups)), "cudnnSetConvolutionGroupCount");
    set_math(strict ? CUDNN_FMA_MATH : CUDNN_TENSOR_OP_MATH);
  }

  void set_math(cudnnMathType_t math) const {
    check(cudnn().cudnnSetConvolutionMathType(convolution, math), "cudnnSetConvolutionMathType");
  }
};

/// The one that cuDNN documents for a fused bias without ReLU.
constexpr int fusing_algorithm = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;

/// Transforms (Winograd's, Fourier's) round otherwise than a plain sum: in f32 they are left alone.
bool is_transform(ConvolutionPass pass, int algorithm) {
  switch (pass) {
    case ConvolutionPass::forward:
      return algorithm == CUDNN_CONVOLUTION_FWD_ALGO_FFT || algorithm == CUDNN_CONVOLUTION_FWD_ALGO_FFT_TILING ||
             algorithm == CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD ||
             algorithm == CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED;
    case ConvolutionPass::by_input:
      return algorithm == CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT ||
             algorithm == CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT_TILING ||
             algorithm == CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD ||
             algorithm == CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED;
    case ConvolutionPass::by_weight:
      break;
  }
  return algorithm == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT ||
         algorithm == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT_TILING ||
         algorithm == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD ||
         algorithm == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED;
}

/// The first of cuDNN's list, best first by its own estimate, that is deterministic. The forward pass prefers the one
/// algorithm that the fused bias without ReLU allows: so that fused and unfused give the same bytes.
template <class Found, class Ask>
Algorithm choose(const Plan& plan, ConvolutionPass pass, Ask ask) {
  std::array<Found, 16> list;
  int count = 0;
  check(ask(static_cast<int>(list.size()), &count, list.data()), "choosing an algorithm");
  std::optional<Algorithm> best;
  for (int i = 0; i < count; ++i) {
    const Found& found = list[static_cast<size_t>(i)];
    if (found.status != CUDNN_STATUS_SUCCESS || found.determinism != CUDNN_DETERMINISTIC) continue;
    if (plan.strict && (found.mathType != CUDNN_FMA_MATH && found.mathType != CUDNN_DEFAULT_MATH)) continue;
    if (is_transform(pass, found.algo)) continue;
    const bool preferred = pass != ConvolutionPass::forward || static_cast<int>(found.algo) == fusing_algorithm;
    if (best && !preferred) continue;
    best = {static_cast<int>(found.algo), found.memory, plan.strict ? CUDNN_FMA_MATH : found.mathType};
    if (preferred) return *best;
  }
  if (best) return *best;
  fail("conv2d", "cuDNN {} has no deterministic algorithm for this convolution",
       {std::to_string(cudnn().cudnnGetVersion())});
}

const Algorithm& algorithm(Plan& plan, ConvolutionPass pass) {
  auto& chosen = plan.algorithms[static_cast<size_t>(pass)];
  if (chosen) return *chosen;
  const Library& lib = cudnn();
  const cudnnHandle_t handle = context().handle;
  switch (pass) {
    case ConvolutionPass::forward:
      chosen = choose<cudnnConvolutionFwdAlgoPerf_t>(plan, pass, [&](int most, int* count, auto* list) {
        return lib.cudnnGetConvolutionForwardAlgorithm_v7(handle, plan.in, plan.weight, plan.convolution, plan.out,
                                                          most, count, list);
      });
      plan.fuses_bias = plan.fuses_relu = chosen->number == fusing_algorithm;
      break;
    case ConvolutionPass::by_input:
      chosen = choose<cudnnConvolutionBwdDataAlgoPerf_t>(plan, pass, [&](int most, int* count, auto* list) {
        return lib.cudnnGetConvolutionBackwardDataAlgorithm_v7(handle, plan.weight, plan.out, plan.convolution, plan.in,
                                                               most, count, list);
      });
      break;
    case ConvolutionPass::by_weight:
      chosen = choose<cudnnConvolutionBwdFilterAlgoPerf_t>(plan, pass, [&](int most, int* count, auto* list) {
        return lib.cudnnGetConvolutionBackwardFilterAlgorithm_v7(handle, plan.in, plan.out, plan.convolution,
                                                                 plan.weight, most, count, list);
      });
      break;
  }
  return *chosen;
}

/// Plans by what tells convolutions apart; `context().mutex` is held.
Plan& plan_of(const Convolution& c) {
  const ConvolutionShape& s = c.shape;
  const std::array<int64_t, 18> key{s.batch,
                                    s.in_channels,
                                    s.in_height,
                                    s.in_width,
                                    s.out_channels,
                                    s.kernel_height,
                                    s.kernel_width,
                                    s.stride_height,
                                    s.stride_width,
                                    s.padding_height,
                                    s.padding_width,
                                    s.dilation_height,
                                    s.dilation_width,
                                    s.groups,
                                    s.out_height,
                                    s.out_width,
                                    static_cast<int64_t>(c.dtype),
                                    static_cast<int64_t>(c.precision)};
  static auto& plans = *new std::map<std::array<int64_t, 18>, Plan>;
  const auto found = plans.find(key);
  return found != plans.end() ? found->second : plans.emplace(key, Plan(c)).first->second;
}

/// Calls `body(library, handle, plan, algorithm)` with everything set for `stream`.
template <class Body>
void with_plan(const Convolution& c, ConvolutionPass pass, Stream stream, const char* what, Body body) {
  const Library& lib = cudnn();
  Context& now = context();
  const std::lock_guard lock(now.mutex);
  Plan& plan = plan_of(c);
  const Algorithm& chosen = algorithm(plan, pass);
  plan.set_math(chosen.math);
  check(lib.cudnnSetStream(now.handle, reinterpret_cast<cudaStream_t>(stream)), "cudnnSetStream");
  check(body(lib, now.handle, plan, chosen), what);
}

constexpr float one = 1, zero = 0;

/// Whether cuDNN has no such fusion for this shape, by its own word: the statuses of 2,000 and of 3,000.
bool is_refused(cudnnStatus_t status) {
  const int category = static_cast<int>(status) / 1000 * 1000;
  return category == CUDNN_STATUS_BAD_PARAM || category == CUDNN_STATUS_NOT_SUPPORTED;
}

}  // namespace

size_t convolution_workspace(const Convolution& convolution, ConvolutionPass pass) {
  const std::lock_guard lock(context().mutex);
  return algorithm(plan_of(convolution), pass).workspace;
}

/// The manual asks for CUDNN_NOT_PROPAGATE_NAN, which hides NaN, in a fused ReLU; the library (9.19) hands either to
/// its kernels. So NaN is asked to stay, and what is refused is done in the next simpler way.
Unfinished convolution_forward(const Convolution& convolution, const void* in, const void* weight, const void* bias,
                               bool relu, void* out, void* workspace, Stream stream) {
  require(bias || !relu, "conv2d", "cuDNN fuses a ReLU only behind a bias");
  Unfinished rest;
  const auto run = [&](const Library& lib, cudnnHandle_t handle, Plan& plan, const Algorithm& chosen) {
    const auto number = static_cast<cudnnConvolutionFwdAlgo_t>(chosen.number);
    const auto fused = [&](cudnnActivationDescriptor_t activation, bool& fuses) {
      const cudnnStatus_t status = lib.cudnnConvolutionBiasActivationForward(
          handle, &one, plan.in, in, plan.weight, weight, plan.convolution, number, workspace, chosen.workspace, &zero,
          plan.out, out, plan.bias, bias, activation, plan.out, out);
      fuses = !is_refused(status);
      return status;
    };
    if (relu && plan.fuses_relu)
      if (const auto status = fused(context().relu, plan.fuses_relu); plan.fuses_relu) return status;
    rest.relu = relu;
    if (bias && plan.fuses_bias)
      if (const auto status = fused(context().identity, plan.fuses_bias); plan.fuses_bias) return status;
    rest.bias = bias != nullptr;
    return lib.cudnnConvolutionForward(handle, &one, plan.in, in, plan.weight, weight, plan.convolution, number,
                                       workspace, chosen.workspace, &zero, plan.out, out);
  };
  with_plan(convolution, ConvolutionPass::forward, stream, "cudnnConvolutionForward", run);
  return rest;
}

void convolution_by_input(const Convolution& convolution, const void* gradient, const void* weight, void* in_gradient,
                          void* workspace, Stream stream) {
  with_plan(convolution, ConvolutionPass::by_input, stream, "cudnnConvolutionBackwardData",
            [&](const Library& lib, cudnnHandle_t handle, const Plan& plan, const Algorithm& chosen) {
              return lib.cudnnConvolutionBackwardData(handle, &one, plan.weight, weight, plan.out, gradient,
                                                      plan.convolution,
                                                      static_cast<cudnnConvolutionBwdDataAlgo_t>(chosen.number),
                                                      workspace, chosen.workspace, &zero, plan.in, in_gradient);
            });
}

void convolution_by_weight(const Convolution& convolution, const void* in, const void* gradient, void* weight_gradient,
                           void* workspace, Stream stream) {
  with_plan(convolution, ConvolutionPass::by_weight, stream, "cudnnConvolutionBackwardFilter",
            [&](const Library& lib, cudnnHandle_t handle, const Plan& plan, const Algorithm& chosen) {
              return lib.cudnnConvolutionBackwardFilter(handle, &one, plan.in, in, plan.out, gradient, plan.convolution,
                                                        static_cast<cudnnConvolutionBwdFilterAlgo_t>(chosen.number),
                                                        workspace, chosen.workspace, &zero, plan.weight,
                                                        weight_gradient);
            });
}

std::string cudnn_version() {
  const Library& library = opened();
  if (!library.reason.empty()) return library.reason;
  const size_t version = library.cudnnGetVersion();
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

}  // namespace percale::cuda
