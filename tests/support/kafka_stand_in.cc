// A stand-in for Kafka: librdkafka's mock cluster as a program, for the demo and the daemon tests.
//
//   kafka_stand_in [--brokers N] [--port-file FILE] [--topic NAME:PARTITIONS]...
//
// Prints the bootstrap list on a line, writes it to FILE too (complete or not there at all), and
// stays until SIGTERM or SIGINT; where its standard input is a pipe or a socket, until that is
// closed, so that it never outlives the test that started it. Topics that are not named are made
// when they are first asked for, with 4 partitions. It keeps the last 5 MiB or 100,000 messages of
// a partition, knows Produce 0 to 7, and takes a record batch as it is, without looking inside.
//
// Errors: an unknown option or an unusable value ends it with status 2, a failed start with 1.

#include <getopt.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace {

struct Topic {
  std::string name;
  int partitions;
};

struct Options {
  int brokers = 1;
  std::string port_file;
  std::vector<Topic> topics;
};

[[noreturn]] void Refuse(const std::string& what) {
  std::fprintf(stderr, "kafka_stand_in: %s\n", what.c_str());
  std::exit(2);
}

int ReadCount(const std::string& text) {
  char* end = nullptr;
  const long count = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || count < 1 || count > 10000) {
    Refuse("'" + text + "' is no number from 1 to 10000");
  }
  return static_cast<int>(count);
}

Topic ReadTopic(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) {
    Refuse("'" + text + "' is not NAME:PARTITIONS");
  }
  return {text.substr(0, colon), ReadCount(text.substr(colon + 1))};
}

Options ReadOptions(int argc, char** argv) {
  static const option kLong[] = {{"brokers", required_argument, nullptr, 'b'},
                                 {"port-file", required_argument, nullptr, 'p'},
                                 {"topic", required_argument, nullptr, 't'},
                                 {nullptr, 0, nullptr, 0}};
  Options options;
  for (int c = 0; (c = getopt_long(argc, argv, "", kLong, nullptr)) != -1;) {
    switch (c) {
      case 'b': options.brokers = ReadCount(optarg); break;
      case 'p': options.port_file = optarg; break;
      case 't': options.topics.push_back(ReadTopic(optarg)); break;
      default: std::exit(2);
    }
  }
  if (optind != argc) Refuse(std::string("'") + argv[optind] + "' is not an option");
  return options;
}

// Blocks TERM and INT in this and every later thread. REQUIRES: called before librdkafka starts one.
int OpenSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return signalfd(-1, &set, SFD_CLOEXEC);
}

using Client = std::unique_ptr<rd_kafka_t, void (*)(rd_kafka_t*)>;
using Cluster = std::unique_ptr<rd_kafka_mock_cluster_t, void (*)(rd_kafka_mock_cluster_t*)>;

// The mock cluster lives in a client. It never connects, and need not warn that it has no brokers.
Client StartClient() {
  char error[256] = "";
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "log_level", "3", error, sizeof error);
  Client client(rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error), rd_kafka_destroy);
  if (client == nullptr) Refuse(error);
  return client;
}

void MakeTopics(rd_kafka_mock_cluster_t* cluster, const Options& options) {
  const int replicas = std::min(options.brokers, 3);
  for (const Topic& topic : options.topics) {
    if (rd_kafka_mock_topic_create(cluster, topic.name.c_str(), topic.partitions, replicas) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
      Refuse("cannot make topic " + topic.name);
    }
  }
}

// A terminal, a file or /dev/null says nothing about whoever started us; a pipe or a socket does.
bool InputTellsOfParent() {
  struct stat info = {};
  return fstat(STDIN_FILENO, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode));
}

void WaitUntilAsked(int signal_fd) {
  pollfd watched[] = {{signal_fd, POLLIN, 0},
                      {InputTellsOfParent() ? STDIN_FILENO : -1, POLLIN, 0}};
  while (watched[0].revents == 0) {
    if (poll(watched, 2, -1) < 0) continue;
    char ignored[512];
    if (watched[1].revents != 0 && read(STDIN_FILENO, ignored, sizeof ignored) <= 0) return;
  }
}

// A reader that sees FILE sees all of it: it gets its name only when it is complete.
bool Publish(const std::string& bootstrap, const std::string& file) {
  std::printf("%s\n", bootstrap.c_str());
  std::fflush(stdout);
  if (file.empty()) return true;
  const std::string temporary = file + ".new";
  std::ofstream(temporary) << bootstrap << '\n';
  return std::rename(temporary.c_str(), file.c_str()) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = ReadOptions(argc, argv);
  const int signal_fd = OpenSignals();
  const Client client = StartClient();
  const Cluster cluster(rd_kafka_mock_cluster_new(client.get(), options.brokers),
                        rd_kafka_mock_cluster_destroy);
  if (cluster == nullptr) return 1;
  MakeTopics(cluster.get(), options);
  if (!Publish(rd_kafka_mock_cluster_bootstraps(cluster.get()), options.port_file)) {
    std::perror(options.port_file.c_str());
    return 1;
  }
  WaitUntilAsked(signal_fd);
  return 0;
}
