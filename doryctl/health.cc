#include "doryctl/health.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace dory::doryctl {
namespace {

using Json = nlohmann::ordered_json;

class Judge {
 public:
  Judge(const Json& status, const HealthLimits& limits) : status_(status), limits_(limits) {}

  Health Make() {
    JudgeState();
    JudgeWorkers();
    JudgeAge();
    JudgeFill("ring", "ring_used", "ring_bytes");
    JudgeFill("pool", "pool_used", "pool_bytes");
    for (const Json& warning : status_.at("warnings")) {
      Find(HealthLevel::kWarning, warning.at("text").get<std::string>());
    }
    AddBooks();
    return std::move(health_);
  }

 private:
  void Find(HealthLevel level, std::string reason) {
    health_.level = std::max(health_.level, level);
    health_.reasons.push_back(std::move(reason));
  }

  void JudgeState() {
    const std::string state = status_.at("state").get<std::string>();
    if (state == "degraded") return Find(HealthLevel::kCritical, "degraded: a worker does not live or dies again and again");
    if (state != "up") Find(HealthLevel::kWarning, state);
  }

  void JudgeWorkers() {
    for (const Json& worker : status_.at("workers")) {
      if (worker.at("name") == "status") continue;  // its trouble is a warning
      if (worker.at("degraded") != true && worker.at("state") != "parked") continue;
      Find(HealthLevel::kWarning, fmt::format("{} is {}, {} deaths", worker.at("name").get<std::string>(),
                                              worker.at("state").get<std::string>(), worker.at("deaths").get<uint64_t>()));
    }
  }

  // Past `warning` or `critical`, in the unit of the figure.
  void JudgeFigure(const std::string& what, double figure, double warning, double critical, const char* unit) {
    const double rounded = static_cast<double>(static_cast<int64_t>(figure * 10)) / 10;
    health_.performance += fmt::format("{}={}{};{};{};0 ", what, rounded, unit, warning, critical);
    if (figure < warning) return;
    Find(figure < critical ? HealthLevel::kWarning : HealthLevel::kCritical, fmt::format("{} {}{}", what, rounded, unit));
  }

  void JudgeAge() {
    const Json& age = status_.at("oldest_message_age_s");
    JudgeFigure("oldest", age.is_number() ? age.get<double>() : 0, limits_.oldest_warning_s, limits_.oldest_critical_s, "s");
  }

  void JudgeFill(const char* what, const char* used_key, const char* size_key) {
    const Json& used = status_.at("buffer").at(used_key);
    const double size = status_.at("buffer").at(size_key).get<double>();
    if (!used.is_number() || size <= 0) return;  // the worker that knows did not answer: there is a warning
    JudgeFigure(what, 100 * used.get<double>() / size, limits_.buffer_warning, limits_.buffer_critical, "%");
  }

  void AddBooks() {
    for (const char* key : {"received", "rejected", "delivered", "discarded"}) {
      health_.performance += fmt::format("{}={}c ", key, status_.at("books").at(key).get<uint64_t>());
    }
    health_.performance += fmt::format("buffered={}", status_.at("books").at("buffered").get<uint64_t>());
  }

  const Json& status_;
  const HealthLimits& limits_;
  Health health_;
};

}  // namespace

Health JudgeHealth(const std::string& status_json, const HealthLimits& limits) {
  try {
    const Json status = Json::parse(status_json);
    return Judge(status, limits).Make();
  } catch (const Json::exception& error) {
    return {HealthLevel::kUnknown, {std::string("a status that can't be read: ") + error.what()}, ""};
  }
}

const char* NameOf(HealthLevel level) {
  constexpr const char* kNames[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
  return kNames[static_cast<int>(level)];
}

}  // namespace dory::doryctl
