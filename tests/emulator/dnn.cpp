// core/cuda/dnn.h on the CPU: plain loops in the order of the stream.
#include "../../core/cuda/dnn.h"

#include "../../kernels/common/reference_convolution.h"
#include "emulator.h"

namespace percale::cuda {

// One byte for each image, so that a caller who forgets the workspace is found out.
size_t convolution_workspace(const Convolution& convolution, ConvolutionPass) {
  return static_cast<size_t>(convolution.shape.batch);
}

namespace {

template <class Body>
void enqueue(const Convolution& convolution, void* workspace, Stream stream, Body body) {
  emulator::enqueue_work(stream, [=] {
    std::fill_n(static_cast<unsigned char*>(workspace), convolution_workspace(convolution, {}), 0xff);
    visit_floating("conv2d", convolution.dtype, [&]<class T>() { body.template operator()<T>(); });
  });
}

}  // namespace

Unfinished convolution_forward(const Convolution& convolution, const void* in, const void* weight, const void* bias,
                               bool relu, void* out, void* workspace, Stream stream) {
  Unfinished rest;
  if (emulator::refuses_fusion()) {
    rest = {bias != nullptr, relu};
    bias = nullptr;
    relu = false;
  }
  enqueue(convolution, workspace, stream, [=]<class T>() {
    reference_convolution(convolution.shape, static_cast<const T*>(in), static_cast<const T*>(weight),
                          static_cast<const T*>(bias), relu, static_cast<T*>(out));
  });
  return rest;
}

void convolution_by_input(const Convolution& convolution, const void* gradient, const void* weight, void* in_gradient,
                          void* workspace, Stream stream) {
  enqueue(convolution, workspace, stream, [=]<class T>() {
    reference_convolution_input_gradient(convolution.shape, static_cast<const T*>(gradient),
                                         static_cast<const T*>(weight), static_cast<T*>(in_gradient));
  });
}

void convolution_by_weight(const Convolution& convolution, const void* in, const void* gradient, void* weight_gradient,
                           void* workspace, Stream stream) {
  enqueue(convolution, workspace, stream, [=]<class T>() {
    reference_convolution_weight_gradient(convolution.shape, static_cast<const T*>(in), static_cast<const T*>(gradient),
                                          static_cast<T*>(weight_gradient));
  });
}

std::string cudnn_version() { return "emulated"; }

}  // namespace percale::cuda
