// How good the answers are: while learning goes on, at its end, in a picture, and on texts that the user gives.
#pragma once

#include "../program/training.h"
#include "classifier.h"

namespace percale::apps {

/// Tells the loop what to print, what to measure after each epoch, and when to stop.
void prepare(Training& training, const Task& task, const Answers& answers, const Classifier& classifier,
             const HumorFlags& flags, const Settings& settings);

/// Prints and writes the scores on the test texts, and draws their ROC curve where --picture asks.
void report(const Task& task, const Answers& answers, const Classifier& classifier, Training& training,
            const Settings& settings);

/// Prints a line for each text of --predict: `0.9731 yes  Why did the chicken ...`.
void predict(const Classifier& classifier, const HumorFlags& flags, const Settings& settings);

}  // namespace percale::apps
