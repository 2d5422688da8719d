// What --trace and --profile-table leave behind.
#pragma once

#include <vector>

#include "program.h"

namespace percale::apps {

/// Writes `events` where --trace asks, and prints the table of --profile-table.
void report_timeline(const Settings& settings, const std::vector<TraceEvent>& events);

}  // namespace percale::apps
