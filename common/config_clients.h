// Who the sections [client:NAME] are for: users by number and by name, as uids.
//
// Names are looked up when the file is read, by whoever reads it; a dump has numbers only, so that no worker
// depends on the host's list of users.

#pragma once

#include "common/config.h"
#include "common/config_text.h"

namespace dory {

// Fills ClientConfig::uids; notes users that there are not, and those of two sections.
void ResolveClients(ConfigText* text, Config* config);

// The same section with its users' numbers alone.
ClientConfig NameByNumbers(const ClientConfig& client);

}  // namespace dory
