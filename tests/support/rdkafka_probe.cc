// rdkafka_probe: how long librdkafka's producer takes until a message is acknowledged, to compare Dory with.
//
// In each interval a message goes to each topic, spread over the interval, until SIGTERM or SIGINT; then all that
// is on its way is waited for. It prints a line a message: topic, when it was sent (CLOCK_MONOTONIC), what it took,
// both in seconds.
//
// Errors: 1 where a message was not delivered, 2 for wrong options.

#include <librdkafka/rdkafka.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kFlushMs = 120'000;

volatile std::sig_atomic_t stop_asked = 0;

void AskToStop(int) {
  stop_asked = 1;
}

struct Options {
  std::string brokers;
  std::vector<std::string> topics;
  int interval_ms = 100;
  int linger_ms = 100;
};

struct Sent {
  size_t topic;
  Clock::time_point at;
  Clock::duration took{};
  bool delivered = false;
};

void OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  Sent* const sent = static_cast<Sent*>(message->_private);
  sent->took = Clock::now() - sent->at;
  sent->delivered = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_t* MakeProducer(const Options& options) {
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  const std::pair<std::string, std::string> settings[] = {{"bootstrap.servers", options.brokers},
                                                          {"enable.idempotence", "true"},
                                                          {"linger.ms", std::to_string(options.linger_ms)}};
  char error[512];
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error, sizeof(error)) != RD_KAFKA_CONF_OK) return nullptr;
  }
  rd_kafka_conf_set_dr_msg_cb(conf, OnDelivery);
  // Brokers that stop are what this is for.
  rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
  return rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
}

void SendUntilStop(const Options& options, rd_kafka_t* producer, std::deque<Sent>* all) {
  const auto step = std::chrono::microseconds(options.interval_ms * 1000) / options.topics.size();
  Clock::time_point due = Clock::now();
  for (size_t turn = 0; !stop_asked; ++turn, due += step) {
    const size_t topic = turn % options.topics.size();
    Sent& sent = all->emplace_back(Sent{topic, Clock::now()});
    const rd_kafka_resp_err_t refused = rd_kafka_producev(
        producer, RD_KAFKA_V_TOPIC(options.topics[topic].c_str()), RD_KAFKA_V_VALUE(nullptr, 0),
        RD_KAFKA_V_OPAQUE(&sent), RD_KAFKA_V_END);
    if (refused != RD_KAFKA_RESP_ERR_NO_ERROR) all->pop_back();
    while (Clock::now() < due && !stop_asked) rd_kafka_poll(producer, 1);
  }
}

int Run(const Options& options) {
  rd_kafka_t* const producer = MakeProducer(options);
  if (producer == nullptr) return 2;
  std::deque<Sent> all;  // messages point into it
  SendUntilStop(options, producer, &all);
  rd_kafka_flush(producer, kFlushMs);
  rd_kafka_destroy(producer);
  int undelivered = 0;
  for (const Sent& sent : all) {
    undelivered += sent.delivered ? 0 : 1;
    std::printf("%s %.6f %.6f\n", options.topics[sent.topic].c_str(),
                std::chrono::duration<double>(sent.at.time_since_epoch()).count(),
                std::chrono::duration<double>(sent.took).count());
  }
  return undelivered == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Sends a message to each topic now and then by librdkafka, and prints how long each took.");
  app.add_option("--brokers", options.brokers, "host:port,...")->required();
  app.add_option("--topics", options.topics, "a,b,...")->delimiter(',')->required();
  app.add_option("--interval-ms", options.interval_ms, "in which each topic gets one")->check(CLI::Range(1, 60'000));
  app.add_option("--linger-ms", options.linger_ms, "how long a batch waits for more");
  CLI11_PARSE(app, argc, argv);
  std::signal(SIGTERM, AskToStop);
  std::signal(SIGINT, AskToStop);
  return Run(options);
}
