// The intake's scripts: rings, bursts and lives.

#pragma once

#include <vector>

#include "tests/crash/intake_sweep_world.h"

namespace dory::intake {

inline const std::vector<Scenario> kScenarios = {
    {"one burst", 16 * 1024, false, 64, {{false, 3}}},
    {"laps of a small ring", 704, false, 64, {{false, 3}}},
    {"rejected without room", 512, true, 64, {{false, 3}}},
    {"final drain", 704, false, 64, {{true, 3}, {false, 1}}},
    {"two final drains", 704, false, 2, {{true, 4}, {true, 1}, {false, 1}}},
    {"streams", 16 * 1024, false, 64, {{false, 1, 3}}},
    {"streams in a small ring", 704, false, 64, {{false, 3, 2}}},
    {"streams, large messages", 256 * 1024, false, 64, {{false, 1, 1}}, true},
    {"streams, final drain", 704, false, 64, {{true, 2, 2}, {false, 1, 1}}},
    {"receipts", 16 * 1024, false, 64, {{false, 3, 3}}, false, true},
    {"receipts, final drain", 704, false, 64, {{true, 2, 1}, {false, 2, 1}}, false, true},
    {"two users", 704, false, 64, {{false, 3, 1}}, false, false, true},
    {"two users, final drain", 704, false, 64, {{true, 3, 1}, {false, 1, 1}}, false, false, true},
};

}  // namespace dory::intake
