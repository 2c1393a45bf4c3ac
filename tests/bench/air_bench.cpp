// The emulated air: four devices in four processes (three full duplex, one receiver) through UHD's whole interface,
// every path with gain and CFO, every receiver with noise and a 12-bit converter. Msps is the rate at which each of the
// four runs, all at once. Beside it a memcpy of the same bytes by four threads in the same run.
#include <benchmark/benchmark.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <complex>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "prose_test_paths.h"

namespace {

constexpr double rate_hz = 30.72e6;
constexpr double seconds = 4.0;
constexpr int n_devices = 4;

// Four threads, each copying the samples of one device in chunks between buffers that a radio would use.
double memcpy_msps(std::size_t chunk) {
  const auto total = static_cast<std::size_t>(rate_hz * seconds);
  const auto t0 = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (int d = 0; d < n_devices; ++d)
    threads.emplace_back([=] {
      constexpr std::size_t ring = std::size_t{1} << 17;
      std::vector<std::complex<float>> from(ring + chunk, {0.5F, 0.5F}), to(chunk);
      for (std::size_t n = 0; n < total; n += chunk) {
        std::memcpy(static_cast<void*>(to.data()), from.data() + n % ring, chunk * sizeof to[0]);
        benchmark::DoNotOptimize(to.data());
        benchmark::ClobberMemory();
      }
    });
  for (auto& t : threads) t.join();
  return static_cast<double>(total) / std::chrono::duration<double>(std::chrono::steady_clock::now() - t0).count() /
         1e6;
}

void air_four_devices(benchmark::State& state) {
  const std::size_t chunk = state.range(0);
  const std::string name = "bench" + std::to_string(getpid());
  const std::string config = "/tmp/" + name + ".yaml";
  std::ofstream(config) << "lead_us: 1000\ndefault: {gain_db: -6, cfo_hz: 1234}\nnodes: {\"*\": {noise_dbfs: -50}}\n";
  setenv("UHD_MODULE_PATH", PROSE_BINARY_DIR "/uhd_modules", 1);
  setenv("UHD_LOG_CONSOLE_LEVEL", "error", 1);
  const std::string hub_command =
      std::string("exec " PROSE_BINARY_DIR "/bin/prose-air --speed max --log-level off --config ") + config +
      " --air " + name;
  for (auto _ : state) {
    const pid_t hub = fork();
    if (hub == 0) {
      if (std::freopen("/dev/null", "w", stdout) == nullptr) _exit(127);
      execl("/bin/sh", "sh", "-c", hub_command.c_str(), static_cast<char*>(nullptr));
      _exit(127);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    rusage before{};
    getrusage(RUSAGE_CHILDREN, &before);
    std::array<FILE*, n_devices> peers{};
    for (int d = 0; d < n_devices; ++d) {
      const std::string command = "exec " PROSE_BINARY_DIR "/tests/air_bench_peer type=virtual,name=n" +
                                  std::to_string(d) + ",air=" + name + (d < 3 ? " tx " : " rx ") +
                                  std::to_string(chunk) + " 2.0 " + std::to_string(seconds);
      peers[d] = popen(command.c_str(), "r");
    }
    double slowest = 0.0;
    bool ok = true;
    for (FILE* p : peers) {
      double t = 0.0;
      ok = std::fscanf(p, "%lf", &t) == 1 && ok;
      ok = pclose(p) == 0 && ok;
      slowest = std::max(slowest, t);
    }
    rusage after{};
    getrusage(RUSAGE_CHILDREN, &after);
    const auto cpu = [](const rusage& r) {
      return static_cast<double>(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
             1e-6 * static_cast<double>(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
    };
    kill(hub, SIGTERM);
    waitpid(hub, nullptr, 0);
    if (!ok || slowest <= 0.0) {
      state.SkipWithError("a device failed");
      break;
    }
    state.SetIterationTime(slowest);
    state.counters["Msps_each_of_4"] = rate_hz * seconds / slowest / 1e6;
    state.counters["x_realtime_30.72"] = seconds / slowest;
    // Processor time of all four, start-up included: what two cores give when nobody else uses them is at most this.
    state.counters["cpu_bound_Msps_on_2_cores"] = 2.0 * rate_hz * seconds / (cpu(after) - cpu(before)) / 1e6;
    state.counters["memcpy_Msps_each_of_4"] = memcpy_msps(chunk);
  }
  std::remove(config.c_str());
}

BENCHMARK(air_four_devices)
    ->Arg(4096)
    ->Arg(8192)
    ->Arg(15360)
    ->Iterations(1)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
