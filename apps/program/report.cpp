#include "report.h"

#include <iostream>

namespace percale::apps {

void report_timeline(const Settings& settings, const std::vector<TraceEvent>& events) {
  if (!settings.trace.empty()) write_timeline(settings.trace, events);
  if (settings.profile_table) std::cout << timeline_table(events);
}

}  // namespace percale::apps
