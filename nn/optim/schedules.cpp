#include "schedules.h"

#include <cmath>
#include <numbers>

#include "../../kernels/fill/fill.h"

namespace percale::optim {

Schedule::Schedule(Optimizer& optimizer) : optimizer_(optimizer) {
  for (size_t group = 0; group < optimizer.groups(); ++group) bases_.push_back(optimizer.initial_lr(group));
}

void Schedule::set_epoch(int64_t epoch) {
  for (size_t group = 0; group < bases_.size(); ++group) optimizer_.set_lr(group, rate(bases_[group], epoch));
  epoch_ = epoch;
}

nn::StateDict Schedule::state_dict() const {
  return {{"last_epoch", tensor({epoch_})}, {"base_lrs", from_vector(bases_, {static_cast<int64_t>(bases_.size())})}};
}

void Schedule::load_state_dict(const nn::StateDict& state) {
  const nn::StateDict own = state_dict();
  nn::load_by_name("schedule", own, state, true);
  const auto bases = own[1].second.span<double>();
  bases_.assign(bases.begin(), bases.end());
  set_epoch(own[0].second.item<int64_t>());
}

StepLR::StepLR(Optimizer& optimizer, int64_t step_size, double gamma)
    : Schedule(optimizer), step_size_(step_size), gamma_(gamma) {
  require(step_size > 0, "StepLR", "step_size must be positive, got {}", step_size);
  set_epoch(0);
}

double StepLR::rate(double base, int64_t epoch) const {
  return base * std::pow(gamma_, static_cast<double>(epoch / step_size_));
}

CosineAnnealingLR::CosineAnnealingLR(Optimizer& optimizer, int64_t T_max, double eta_min)
    : Schedule(optimizer), period_(T_max), eta_min_(eta_min) {
  require(T_max > 0, "CosineAnnealingLR", "T_max must be positive, got {}", T_max);
  set_epoch(0);
}

double CosineAnnealingLR::rate(double base, int64_t epoch) const {
  const double angle = std::numbers::pi * static_cast<double>(epoch) / static_cast<double>(period_);
  return eta_min_ + (base - eta_min_) * (1 + std::cos(angle)) / 2;
}

LinearLR::LinearLR(Optimizer& optimizer, const LinearLROptions& options) : Schedule(optimizer), options_(options) {
  require(options.start_factor > 0 && options.start_factor <= 1 && options.end_factor >= 0 && options.end_factor <= 1,
          "LinearLR", "factors are in (0, 1], got {} and {}", options.start_factor, options.end_factor);
  require(options.total_iters > 0, "LinearLR", "total_iters must be positive, got {}", options.total_iters);
  set_epoch(0);
}

double LinearLR::rate(double base, int64_t epoch) const {
  const double done = std::min(1.0, static_cast<double>(epoch) / static_cast<double>(options_.total_iters));
  return base * (options_.start_factor + (options_.end_factor - options_.start_factor) * done);
}

WarmupLinearLR::WarmupLinearLR(Optimizer& optimizer, int64_t warmup_steps, int64_t total_steps)
    : Schedule(optimizer), warmup_steps_(warmup_steps), total_steps_(total_steps) {
  require(warmup_steps >= 0 && warmup_steps <= total_steps, "WarmupLinearLR",
          "warmup_steps must be in 0 to total_steps, got {} of {}", warmup_steps, total_steps);
  set_epoch(0);
}

double WarmupLinearLR::rate(double base, int64_t epoch) const {
  const auto now = static_cast<double>(epoch), top = static_cast<double>(warmup_steps_);
  if (epoch < warmup_steps_) return base * (now + 1) / top;
  const auto total = static_cast<double>(total_steps_);
  return base * std::max(0.0, total - now) / std::max(1.0, total - top);
}

OneCycleLR::OneCycleLR(Optimizer& optimizer, const OneCycleLROptions& options)
    : Schedule(optimizer), options_(options) {
  require(options.total_steps > 0, "OneCycleLR", "total_steps must be positive, got {}", options.total_steps);
  require(options.pct_start >= 0 && options.pct_start <= 1, "OneCycleLR", "pct_start is in [0, 1], got {}",
          options.pct_start);
  require(options.max_lr >= 0 && options.div_factor > 0 && options.final_div_factor > 0, "OneCycleLR",
          "max_lr and the factors must be positive, got {}, {} and {}", options.max_lr, options.div_factor,
          options.final_div_factor);
  set_epoch(0);
}

double OneCycleLR::rate(double, int64_t epoch) const {
  require(epoch <= options_.total_steps, "OneCycleLR", "step {} of {}", epoch, options_.total_steps);
  const auto total = static_cast<double>(options_.total_steps), now = static_cast<double>(epoch);
  const double first = options_.max_lr / options_.div_factor, last = first / options_.final_div_factor;
  struct Phase {
    double end, from, to;
  };
  const double top = options_.pct_start * total - 1;
  std::vector<Phase> phases = {{top, first, options_.max_lr}, {total - 1, options_.max_lr, last}};
  if (options_.three_phase)
    phases = {{top, first, options_.max_lr},
              {2 * options_.pct_start * total - 2, options_.max_lr, first},
              {total - 1, first, last}};
  double begin = 0;
  for (size_t i = 0; i < phases.size(); ++i) {
    const auto& [end, from, to] = phases[i];
    if (now > end && i + 1 < phases.size()) {
      begin = end;
      continue;
    }
    const double part = (now - begin) / (end - begin);
    if (options_.anneal_strategy == Annealing::linear) return from + (to - from) * part;
    return to + (from - to) / 2 * (1 + std::cos(std::numbers::pi * part));
  }
  return last;
}

SequentialLR::SequentialLR(Optimizer& optimizer, std::initializer_list<Schedule*> schedules,
                           const std::vector<int64_t>& milestones)
    : Schedule(optimizer), schedules_(schedules), milestones_(milestones) {
  require(schedules_.size() == milestones_.size() + 1, "SequentialLR", "{} schedules need {} milestones, got {}",
          schedules_.size(), schedules_.size() - 1, milestones_.size());
  set_epoch(0);
}

void SequentialLR::set_epoch(int64_t epoch) {
  size_t current = 0;
  while (current < milestones_.size() && epoch >= milestones_[current]) ++current;
  schedules_[current]->set_epoch(current ? epoch - milestones_[current - 1] : epoch);
  epoch_ = epoch;
}

double SequentialLR::rate(double base, int64_t) const { return base; }

}  // namespace percale::optim
