// The optimizers' steps and gradient clipping: every parameter of a model in one pass over its memory.
#pragma once

#include "../../core/tensor.h"

namespace percale {

struct SgdOptions {
  double momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false;
  bool maximize = false;
};

/// One step of stochastic gradient descent on every parameter (PyTorch's SGD; Sutskever and others, ICML 2013):
///
///     d = gradient + weight_decay * parameter
///     buffer = d in the first step, else momentum * buffer + (1 - dampening) * d
///     parameter -= learning_rate * (d + momentum * buffer if nesterov, else buffer, or d without momentum)
///
/// Parameters are f32 or f64, all on one device, dense in any order of dimensions. A parameter whose gradient is
/// undefined is left as it is. What changes from step to step lies on the parameters' device, so that a captured graph
/// follows it: `learning_rate` (f64, one element) is read, and `steps` (f64, one element a parameter, zeros at first)
/// is counted up. After a bad index on CUDA nothing is written.
/// @param momentum_buffers one a parameter, of its shape, strides and dtype, any contents at first; empty without
/// momentum. Errors: other numbers of gradients, buffers or steps than of parameters; shapes, dtypes or devices that
/// differ; parameters that are not dense; nesterov without momentum or with dampening.
void sgd_step(const Tensors& parameters, const Tensors& gradients, const Tensors& momentum_buffers,
              const Tensor& learning_rate, const Tensor& steps, const SgdOptions& options = {});

struct AdagradOptions {
  double lr_decay = 0, weight_decay = 0, eps = 1e-10;
  bool maximize = false;
};

/// One step of Adagrad (Duchi and others, JMLR 2011):
///
///     g = gradient + weight_decay * parameter
///     s += g * g
///     parameter -= learning_rate / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)
///
/// All else as sgd_step.
/// @param sums s: one a parameter, zeros (or another first value) at first.
void adagrad_step(const Tensors& parameters, const Tensors& gradients, const Tensors& sums, const Tensor& learning_rate,
                  const Tensor& steps, const AdagradOptions& options = {});

struct AdamOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  bool decoupled = false;  ///< AdamW: decay shrinks the parameter instead of adding to its gradient
  bool maximize = false;
};

/// One step of Adam (Kingma and Ba, 2015), AdamW (Loshchilov and Hutter, 2019) or AMSGrad (Reddi and others, 2018):
///
///     g = gradient + weight_decay * parameter, or decoupled: parameter *= 1 - learning_rate * weight_decay
///     m += (1 - beta1) * (g - m),  v = beta2 * v + (1 - beta2) * g * g,  amsgrad: w = max(w, v) takes the place of v
///     parameter -= learning_rate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
///
/// Bias corrections are f64. All else as sgd_step.
/// @param exp_avgs, exp_avg_sqs m and v: one a parameter, zeros at first.
/// @param max_exp_avg_sqs w: likewise, or empty without amsgrad.
/// Errors: as sgd_step; betas outside [0, 1).
void adam_step(const Tensors& parameters, const Tensors& gradients, const Tensors& exp_avgs, const Tensors& exp_avg_sqs,
               const Tensors& max_exp_avg_sqs, const Tensor& learning_rate, const Tensor& steps,
               const AdamOptions& options = {});

/// The norm of all gradients as one vector: (sum |g|^order)^(1/order), for infinity the largest |g|. Summed in f64, in
/// an order that sizes alone decide. Undefined gradients count as zero; f32 or f64, all alike. Returns a tensor without
/// dimensions, on the gradients' device: nothing waits for it.
Tensor gradient_norm(const Tensors& gradients, double order = 2);

/// Multiplies every gradient by min(1, max_norm / (norm + 1e-6)), as PyTorch's clip_grad_norm_ does: `norm` is what
/// gradient_norm returned.
void scale_to_norm(const Tensors& gradients, const Tensor& norm, double max_norm);

/// Moves every element of every gradient into [-limit, limit].
void clamp_gradients(const Tensors& gradients, double limit);

}  // namespace percale
