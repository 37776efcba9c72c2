# Dory's one Makefile. No recursion; objects and programs live under build/.
#
#   make                 the programs, in build/bin/
#   make demo            installs what is missing, builds, runs the main job on a stand-in for Kafka
#                        (KAFKA=host:port for a real one)
#   make check           installs what the tests need and runs them (at most 35 minutes on two cores)
#   make check-more      what else must not rot (at most 40 minutes)
#   make check-kafka     the long form on real Kafka of all versions (at most an hour)
#   make check-sanitizers   most suites, the crash sweeps too, with SAN=address,undefined (at most an hour)
#   make check-arch      the unit tests for aarch64, under qemu (at most 20 minutes)
#   make unit            the unit tests alone
#   make soak            the storm of kills for MINUTES=100 and a broker that is stopped, on real Kafka; never part
#                        of a check
#   make fuzz            the libFuzzer targets, each for MINUTES=20; check-more runs them by a count
#   make bench           figures beside a bare sink in the same run; never part of a check
#   make deps            the Debian packages of a build, with apt-get where we are root
#   make deps-check      and those of the tests
#   make docs            the generated documents anew; docs-check fails where one is stale
#   make golden          tests/golden/kafka anew, by Kafka's own classes; golden-check compares
#   make install         the programs, init script and sample files, under PREFIX (/usr/local), SYSCONFDIR
#                        (/etc) and DESTDIR; a configuration that is there already stays as it is
#   make clean
#
#   V=1                  shows the command lines
#   SAN=address|thread|undefined   a sanitizer build, in build/<SAN>/; address,undefined is both, in
#                        build/address-undefined/
#   CROSS=aarch64-linux-gnu-       a build for another machine, in build/aarch64/, by this prefix of the
#                        compilers and of pkg-config
#   CRASH=1              a build whose crash points are alive, in build/crash/
#   FUZZ=1               a build by clang for the libFuzzer targets, with ASan and UBSan, in build/fuzz/
#   MUTANT=name          a build with one deliberate fault, in build/mutant-<name>/
#
# A folder is a library by wildcard: a new .cc file needs no edit here. `main.cc` of a process folder
# is its program.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

comma := ,
VARIANT := $(if $(MUTANT),mutant-$(MUTANT),$(subst $(comma),-,$(SAN)))$(if $(CRASH),$(if $(MUTANT)$(SAN),-)crash)
ifdef CROSS
VARIANT := $(firstword $(subst -, ,$(CROSS)))$(if $(VARIANT),-$(VARIANT))
endif
ifdef FUZZ
VARIANT := fuzz
endif
OUT := build$(if $(VARIANT),/$(VARIANT))
BIN := $(OUT)/bin
OBJ := $(OUT)/obj
GEN := $(OUT)/gen

CXX := $(if $(FUZZ),clang++-14,$(CROSS)g++)
CC := $(if $(FUZZ),clang-14,$(CROSS)gcc)
PKG_CONFIG := $(CROSS)pkg-config
PROTOC := protoc
VERSION := $(shell cat VERSION)

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror
SANITIZE := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer $(if $(findstring thread,$(SAN)),-Wno-tsan) \
              $(if $(findstring undefined,$(SAN)),-fno-sanitize-recover=all))
ifdef FUZZ
SANITIZE := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
DEFINES := -DDORY_VERSION='"$(VERSION)"' -D_FILE_OFFSET_BITS=64 \
           $(if $(CRASH),-DDORY_CRASH_POINTS) $(if $(MUTANT),-DDORY_MUTANT_$(MUTANT))
INCLUDES := -I. -isystem $(GEN)
THIRD_PARTY := $(shell $(PKG_CONFIG) --cflags spdlog protobuf inih 2>/dev/null)
COMMON_FLAGS := -O2 -g -pthread $(WARNINGS) $(SANITIZE) $(DEFINES) $(INCLUDES)
CXXFLAGS := -std=c++20 $(COMMON_FLAGS) $(THIRD_PARTY)
CFLAGS := -std=c11 $(COMMON_FLAGS)
# Beside the address sanitizer's library, the shared one of undefined does not heed its options.
LDFLAGS := -pthread $(SANITIZE) $(if $(findstring undefined,$(SAN)),-static-libubsan) -Wl,--as-needed
LIBS := -lev -lprotobuf -linih -lspdlog -lfmt -lsnappy -llz4 -lzstd -lz -lssl -lcrypto -lsasl2

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-8s %s\n' $(1) $(2))

# ---- what is built ---------------------------------------------------------------------------

LIBRARIES := common shm supervisor intake_worker kafka_worker kafka_worker/protocol status_http doryctl
PROTOS := $(wildcard common/*.proto)
sources_of = $(filter-out $(1)/main.cc,$(wildcard $(1)/*.cc))
objects_of = $(patsubst %.cc,$(OBJ)/%.o,$(call sources_of,$(1)))

COMMON_OBJECTS := $(call objects_of,common) $(PROTOS:%.proto=$(OBJ)/%.pb.o)
SHM_OBJECTS := $(call objects_of,shm)
KAFKA_OBJECTS := $(call objects_of,kafka_worker) $(call objects_of,kafka_worker/protocol)
SUPERVISOR_OBJECTS := $(call objects_of,supervisor)
INTAKE_OBJECTS := $(call objects_of,intake_worker)
STATUS_OBJECTS := $(call objects_of,status_http)
DORYCTL_OBJECTS := $(call objects_of,doryctl)
CLIENT_OBJECTS := $(patsubst %.c,$(OBJ)/%.o,$(wildcard clients/c/*.c))

PROGRAMS := dory dory-intake dory-kafka dory-status doryctl to_dory
SUPPORT_PROGRAMS := $(patsubst tests/support/%.cc,%,$(wildcard tests/support/*.cc))
BENCH_PROGRAMS := $(patsubst bench/%.cc,%,$(wildcard bench/*.cc))

UNIT_SOURCES := $(wildcard tests/unit/*/*.cc tests/unit/*/*/*.cc)
UNIT_OBJECTS := $(UNIT_SOURCES:%.cc=$(OBJ)/%.o)

.PHONY: all support bench-programs unit check check-more check-kafka check-sanitizers check-arch demo soak \
        bench deps deps-check lint clean docs docs-check golden golden-check fuzz fuzz-targets install
all: $(PROGRAMS:%=$(BIN)/%)
support: $(SUPPORT_PROGRAMS:%=$(BIN)/%)
bench-programs: $(BENCH_PROGRAMS:%=$(BIN)/%)

$(BIN)/dory: $(OBJ)/supervisor/main.o $(SUPERVISOR_OBJECTS) $(SHM_OBJECTS) $(COMMON_OBJECTS)
$(BIN)/dory-intake: $(OBJ)/intake_worker/main.o $(INTAKE_OBJECTS) $(SHM_OBJECTS) $(COMMON_OBJECTS)
$(BIN)/dory-kafka: $(OBJ)/kafka_worker/main.o $(KAFKA_OBJECTS) $(SHM_OBJECTS) $(COMMON_OBJECTS)
$(BIN)/dory-status: $(OBJ)/status_http/main.o $(STATUS_OBJECTS) $(COMMON_OBJECTS)
$(BIN)/dory-status: LIBS += -lmicrohttpd
$(BIN)/doryctl: $(OBJ)/doryctl/main.o $(DORYCTL_OBJECTS) $(SHM_OBJECTS) $(COMMON_OBJECTS)
$(BIN)/to_dory: $(patsubst %.cc,$(OBJ)/%.o,$(wildcard clients/c/*.cc)) $(CLIENT_OBJECTS)
$(BIN)/unit_tests: $(UNIT_OBJECTS) $(SUPERVISOR_OBJECTS) $(INTAKE_OBJECTS) $(KAFKA_OBJECTS) \
                   $(STATUS_OBJECTS) $(DORYCTL_OBJECTS) $(SHM_OBJECTS) $(COMMON_OBJECTS) $(CLIENT_OBJECTS)
$(BIN)/unit_tests: LIBS += -lgtest_main -lgtest -lmicrohttpd
$(BIN)/segment_fuzz: $(OBJ)/tests/fuzz/segment_fuzz.o $(INTAKE_OBJECTS) $(KAFKA_OBJECTS) $(SHM_OBJECTS) $(COMMON_OBJECTS)
# Bytes in, and nothing behind them: no memory that is shared, no socket, no log.
FUZZ_TARGETS := $(patsubst tests/fuzz/%.cc,%,$(wildcard tests/fuzz/*_target.cc))
$(FUZZ_TARGETS:%=$(BIN)/%): $(BIN)/%: $(OBJ)/tests/fuzz/%.o $(call objects_of,kafka_worker/protocol) \
  $(OBJ)/intake_worker/parse.o $(OBJ)/intake_worker/assemble.o \
  $(patsubst %,$(OBJ)/common/%.o,crc32 crc32c config config_build config_clients config_dump \
                                          config_suggest config_together option_table option_value text_check units)
$(FUZZ_TARGETS:%=$(BIN)/%): LIBS := -fsanitize=fuzzer $(LIBS)
$(BIN)/compressor_target: $(OBJ)/kafka_worker/compressor.o $(OBJ)/kafka_worker/chunks.o
$(BIN)/compressor_target: LIBS += -lgtest
fuzz-targets: $(FUZZ_TARGETS:%=$(BIN)/%)
# Both ends of the ring alone, so that a build for the thread sanitizer is short.
$(BIN)/ring_threads: $(OBJ)/tests/unit/shm/ring_threads_test.o $(SHM_OBJECTS) $(COMMON_OBJECTS)
$(BIN)/ring_threads: LIBS += -lgtest_main -lgtest
# What tests is compiled quickly; what is tested, as users have it.
$(UNIT_OBJECTS): CXXFLAGS += -O0 -g1
$(SUPPORT_PROGRAMS:%=$(BIN)/%): $(BIN)/%: $(OBJ)/tests/support/%.o $(CLIENT_OBJECTS) $(SHM_OBJECTS) $(COMMON_OBJECTS)
$(SUPPORT_PROGRAMS:%=$(BIN)/%): LIBS += -lrdkafka
# It forks for each kill: what makes a fork dear stays out of it.
$(BIN)/intake_sweep $(BIN)/intake_replay: $(BIN)/%: $(OBJ)/tests/crash/%.o $(OBJ)/tests/crash/sweep_jobs.o \
  $(OBJ)/tests/crash/store_log.o $(filter-out %/worker_context.o %/control_link.o %/hand_over.o %.pb.o \
                                   %/intake_worker.o %/stream_inputs.o, \
                                   $(INTAKE_OBJECTS) $(SHM_OBJECTS) $(COMMON_OBJECTS))
$(BIN)/kafka_sweep $(BIN)/kafka_replay: $(BIN)/%: $(OBJ)/tests/crash/%.o $(OBJ)/tests/crash/sweep_jobs.o \
                    $(OBJ)/tests/crash/machine.o $(OBJ)/tests/crash/store_log.o $(KAFKA_OBJECTS) $(SHM_OBJECTS) $(COMMON_OBJECTS)
$(BIN)/store_steps: $(patsubst %,$(OBJ)/tests/crash/%.o,store_steps stepper stepped_life store_witness store_log \
                                                       sweep_jobs machine) \
                    $(INTAKE_OBJECTS) $(KAFKA_OBJECTS) $(SHM_OBJECTS) $(COMMON_OBJECTS)
$(BENCH_PROGRAMS:%=$(BIN)/%): $(BIN)/%: $(OBJ)/bench/%.o $(CLIENT_OBJECTS) $(SHM_OBJECTS) $(COMMON_OBJECTS)
$(BIN)/codec_cost: $(OBJ)/kafka_worker/compressor.o $(OBJ)/kafka_worker/chunks.o
$(BIN)/acknowledging_broker: $(call objects_of,kafka_worker/protocol)

$(BIN)/config_docs: $(OBJ)/doc/generate/config_docs.o $(COMMON_OBJECTS)
$(BIN)/compat_docs: $(OBJ)/doc/generate/compat_docs.o

$(BIN)/%:
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBS)

# ---- how a file is compiled ------------------------------------------------------------------

# The stamp changes when the flags do, so that nothing built with other flags is ever linked.
FLAGS_STAMP := $(OUT)/flags
FLAGS_NOW := $(CXX) $(CXXFLAGS) $(CC) $(CFLAGS) $(LDFLAGS)
$(shell mkdir -p $(OUT); printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $(FLAGS_STAMP) || \
        printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' > $(FLAGS_STAMP))

# Generated headers exist before the first compilation; after it -MMD knows who needs which.
GENERATED_HEADERS := $(PROTOS:%.proto=$(GEN)/%.pb.h)

$(OBJ)/%.o: %.cc $(FLAGS_STAMP) | $(GENERATED_HEADERS)
	$(call say,CXX,$<)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(CXXFLAGS) -MMD -MP -c -o $@ $<

$(OBJ)/%.o: %.c $(FLAGS_STAMP)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(GEN)/%.pb.cc $(GEN)/%.pb.h &: %.proto
	$(call say,PROTOC,$<)
	@mkdir -p $(GEN)
	$(Q)$(PROTOC) --cpp_out=$(GEN) $<

$(OBJ)/%.pb.o: $(GEN)/%.pb.cc $(FLAGS_STAMP) | $(GENERATED_HEADERS)
	$(call say,CXX,$<)
	@mkdir -p $(@D)
	$(Q)$(CXX) -std=c++20 -O2 -g -pthread $(SANITIZE) -w -I$(GEN) -MMD -MP -c -o $@ $<

-include $(shell test -d $(OBJ) && find $(OBJ) -name '*.d')
.SECONDARY:

# ---- what is run -----------------------------------------------------------------------------

unit: $(BIN)/unit_tests
	$(BIN)/unit_tests --gtest_brief=1

lint:
	tests/lint/run

# What is missing is installed before anything is built; the building is a second make, since this
# one asked pkg-config for its flags before there was one.
deps:
	@packaging/install-packages build

deps-check:
	@packaging/install-packages build demo check

demo:
	@packaging/install-packages build demo
	@MAKE="$(MAKE)" tests/support/demo

check-more: ALSO := fuzz
check-kafka: ALSO := kafka golden
check check-more check-kafka check-sanitizers check-arch: deps-check
	@packaging/install-packages $(ALSO)
	@tests/run $@

soak: deps-check
	@$(MAKE) --no-print-directory all support
	@$(MAKE) --no-print-directory CRASH=1 all
	DORY_BIN=build/crash/bin tests/kafka/storm.py --seconds $$(( $(or $(MINUTES),100) * 60 )) --every-step 20
	tests/kafka/isolation.py

fuzz:
	@packaging/install-packages build fuzz
	@$(MAKE) --no-print-directory FUZZ=1 fuzz-targets
	tests/fuzz/run --minutes $(or $(MINUTES),20)

bench: deps
	@$(MAKE) --no-print-directory all support bench-programs
	bench/run
	bench/streams --connections
	bench/latency
	bench/scale

docs: $(BIN)/config_docs $(BIN)/compat_docs
	$< sample > etc/dory.conf
	$< markdown > doc/detailed_config.md
	$(BIN)/compat_docs tests/kafka/negotiated.txt > doc/kafka_compat.md

docs-check: $(BIN)/config_docs $(BIN)/compat_docs
	$< sample | diff -u etc/dory.conf -
	$< markdown | diff -u doc/detailed_config.md -
	$(BIN)/compat_docs tests/kafka/negotiated.txt | diff -u doc/kafka_compat.md -

golden:
	@packaging/install-packages golden
	tests/golden/kafka/write

golden-check:
	@tests/golden/kafka/write --check

# ---- what is installed -----------------------------------------------------------------------

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
SBIN_PROGRAMS := $(filter dory dory-%,$(PROGRAMS))  # they find each other in one folder
BIN_PROGRAMS := $(filter-out $(SBIN_PROGRAMS),$(PROGRAMS))
TO := $(DESTDIR)$(PREFIX)
TO_ETC := $(DESTDIR)$(SYSCONFDIR)

# One that is there already is the user's.
install_once = test -e $(2) || install -m 644 $(1) $(2)

install: all
	install -d $(TO)/sbin $(TO)/bin $(TO)/share/doc/dory $(addprefix $(TO_ETC)/,dory default init.d logrotate.d)
	install $(SBIN_PROGRAMS:%=$(BIN)/%) $(TO)/sbin
	install $(BIN_PROGRAMS:%=$(BIN)/%) $(TO)/bin
	install -m 644 README.md doc/detailed_config.md doc/kafka_compat.md etc/dory.conf $(TO)/share/doc/dory
	sed -e 's,^DAEMON=.*,DAEMON=$(PREFIX)/sbin/dory,' -e 's,^DORYCTL=.*,DORYCTL=$(PREFIX)/bin/doryctl,' \
	    -e 's,/etc/dory/,$(SYSCONFDIR)/dory/,' -e 's,/etc/default/,$(SYSCONFDIR)/default/,g' \
	    etc/dory.init > $(TO_ETC)/init.d/dory
	chmod 755 $(TO_ETC)/init.d/dory
	$(call install_once,etc/dory.conf,$(TO_ETC)/dory/dory.conf)
	$(call install_once,etc/dory.default,$(TO_ETC)/default/dory)
	$(call install_once,etc/dory.logrotate,$(TO_ETC)/logrotate.d/dory)

clean:
	rm -rf build
