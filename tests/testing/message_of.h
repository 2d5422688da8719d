// What an action says when it is refused.
#pragma once

#include <string>

#include "../../core/error.h"

namespace percale::testing {

/// The text of the Error that `action` throws; "no error" where it throws none. Other exceptions pass.
template <class Action>
std::string message_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace percale::testing
