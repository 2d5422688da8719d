// Learning rates that change from step to step, as PyTorch's torch.optim.lr_scheduler computes them, in f64.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "optimizer.h"

namespace percale::optim {

/// Base of the schedules: sets the optimizer's learning rates when made (epoch 0) and at each `step()`. The optimizer
/// must outlive it. With a captured training step, `step()` stands outside of it.
class Schedule {
 public:
  virtual ~Schedule() = default;
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;

  /// The next epoch (or step, whatever is counted) begins.
  void step() { set_epoch(epoch_ + 1); }
  /// Goes to an epoch at once.
  virtual void set_epoch(int64_t epoch);
  int64_t last_epoch() const { return epoch_; }
  /// The rate set last.
  double lr(size_t group = 0) const { return optimizer_.lr(group); }

  /// The epoch and the rates that it started from, for checkpoints.
  nn::StateDict state_dict() const;
  void load_state_dict(const nn::StateDict& state);

 protected:
  explicit Schedule(Optimizer& optimizer);
  /// The rate at `epoch` of a group that began with `base`.
  virtual double rate(double base, int64_t epoch) const = 0;

  Optimizer& optimizer_;
  std::vector<double> bases_;
  int64_t epoch_ = 0;
};

/// Multiplies by gamma every step_size epochs.
class StepLR : public Schedule {
 public:
  StepLR(Optimizer& optimizer, int64_t step_size, double gamma = 0.1);

 private:
  double rate(double base, int64_t epoch) const override;
  int64_t step_size_;
  double gamma_;
};

/// Half a cosine from the optimizer's rate down to eta_min over T_max epochs (Loshchilov and Hutter, ICLR 2017).
class CosineAnnealingLR : public Schedule {
 public:
  CosineAnnealingLR(Optimizer& optimizer, int64_t T_max, double eta_min = 0);

 private:
  double rate(double base, int64_t epoch) const override;
  int64_t period_;
  double eta_min_;
};

struct LinearLROptions {
  double start_factor = 1.0 / 3, end_factor = 1;
  int64_t total_iters = 5;
};

/// Warm-up: from start_factor to end_factor times the optimizer's rate over total_iters epochs, then stays.
class LinearLR : public Schedule {
 public:
  explicit LinearLR(Optimizer& optimizer, const LinearLROptions& options = {});

 private:
  double rate(double base, int64_t epoch) const override;
  LinearLROptions options_;
};

/// Up in a line to the optimizer's rate over the first `warmup_steps`, then down in a line to 0 at `total_steps`:
/// transformers' get_linear_schedule_with_warmup, a step ahead while it rises, so that the first one moves too.
class WarmupLinearLR : public Schedule {
 public:
  WarmupLinearLR(Optimizer& optimizer, int64_t warmup_steps, int64_t total_steps);

 private:
  double rate(double base, int64_t epoch) const override;
  int64_t warmup_steps_, total_steps_;
};

enum class Annealing { cos, linear };

struct OneCycleLROptions {
  double max_lr;
  int64_t total_steps;
  double pct_start = 0.3;  ///< the part of the steps in which the rate rises
  Annealing anneal_strategy = Annealing::cos;
  double div_factor = 25;         ///< it begins at max_lr / div_factor
  double final_div_factor = 1e4;  ///< and ends at that divided by this
  bool three_phase = false;
};

/// Up to max_lr and down again (Smith and Topin, 2018), a step a batch. The momentum stays as it is (PyTorch's
/// `cycle_momentum=False`). An error after total_steps.
class OneCycleLR : public Schedule {
 public:
  OneCycleLR(Optimizer& optimizer, const OneCycleLROptions& options);

 private:
  double rate(double base, int64_t epoch) const override;
  OneCycleLROptions options_;
};

/// One schedule after the other: the i-th gives way to the next at epoch milestones[i], which counts from 0 there. The
/// schedules must outlive it.
class SequentialLR : public Schedule {
 public:
  SequentialLR(Optimizer& optimizer, std::initializer_list<Schedule*> schedules,
               const std::vector<int64_t>& milestones);
  void set_epoch(int64_t epoch) override;

 private:
  double rate(double base, int64_t epoch) const override;
  std::vector<Schedule*> schedules_;
  std::vector<int64_t> milestones_;
};

}  // namespace percale::optim
