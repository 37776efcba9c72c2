// Segments that can't be used and are kept: moved aside under names of their own, told of as long as they
// are there. Nothing is ever wiped.
//
// Owner: the supervisor, before any worker starts, with the segment's lock held.

#pragma once

#include <string>

#include "common/status.h"

namespace dory::supervisor {

// Renames folder/segment and its overflow files to NAME.aside.TIME, a name that nothing has yet, and says
// so loudly. Fails where it can't be done: then nothing may be created in its place.
Status MoveAside(const std::string& folder, const Status& why);

// What is kept there, for the status: each file, its size and the messages in it. Empty: nothing is.
std::string DescribeMovedAside(const std::string& folder);

// The segment files that are kept there, as "PATH has N bytes, ...": why there may be no room. `also` is
// a file that is to be moved aside yet, or empty.
std::string DescribeMovedAsideSizes(const std::string& folder, const std::string& also);

}  // namespace dory::supervisor
