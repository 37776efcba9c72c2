// Who Dory runs as: [dory] user and group, taken on when it was started as root.

#pragma once

#include <sys/types.h>

#include <string>

#include "common/status.h"

namespace dory::supervisor {

struct Identity {
  uid_t uid;
  gid_t gid;
  std::string user;  // empty: stay who we are
};

// Names as in the configuration; numbers are understood as well. Empty: ours.
Result<uid_t> FindUser(const std::string& name);
Result<gid_t> FindGroup(const std::string& name);

// Who to be. Fails where that is somebody else and we are not root.
Result<Identity> ChooseIdentity(const std::string& user, const std::string& group);

// Becomes that. What needs root (owners of sockets, limits) comes before it.
Status BecomeIdentity(const Identity& identity);

}  // namespace dory::supervisor
