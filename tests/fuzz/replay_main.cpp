// Runs a fuzz target without libFuzzer: every file of the corpus folder, then a fixed number of seeded mutations of
// those files and of random inputs. It finds far less than a fuzzer does; it keeps the targets and their findings from
// rotting. A finding is told with its input in hexadecimal. PROSE_FUZZ_RUNS and PROSE_FUZZ_SEED choose the mutations.
// With PROSE_FUZZ_CONTROL the target is one without a check, and what succeeds is a finding.
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {
using bytes = std::vector<std::uint8_t>;

void mutate(bytes& b, std::mt19937_64& rng) {
  const int edits = 1 + static_cast<int>(rng() % 8);
  for (int i = 0; i < edits; ++i) {
    const auto op = rng() % 4;
    if (op == 0 || b.empty()) {
      b.insert(b.begin() + (rng() % (b.size() + 1)), static_cast<std::uint8_t>(rng()));
    } else if (op == 1) {
      b.erase(b.begin() + (rng() % b.size()));
    } else if (op == 2) {
      b[rng() % b.size()] ^= static_cast<std::uint8_t>(1U << (rng() % 8));
    } else {
      b.resize(rng() % (b.size() + 1));
    }
  }
}

#ifdef PROSE_FUZZ_CONTROL
constexpr bool finding_is_wanted = true;
#else
constexpr bool finding_is_wanted = false;
#endif
long runs_so_far = 0;
const bytes* input = nullptr;

void found(int) {
  std::fprintf(stderr, "found by input %ld:", runs_so_far);
  for (const auto b : *input) std::fprintf(stderr, " %02x", b);
  std::fprintf(stderr, "\n");
  _exit(finding_is_wanted ? 0 : 1);
}

void run(const bytes& b) {
  ++runs_so_far;
  input = &b;
  LLVMFuzzerTestOneInput(b.data(), b.size());
}
}  // namespace

int main(int argc, char** argv) {
  std::vector<bytes> corpus;
  if (argc > 1 && std::filesystem::is_directory(argv[1])) {
    std::set<std::filesystem::path> paths;  // in an order of their own
    for (const auto& e : std::filesystem::directory_iterator(argv[1])) paths.insert(e.path());
    for (const auto& path : paths) {
      std::ifstream f(path, std::ios::binary);
      corpus.emplace_back(std::istreambuf_iterator<char>(f), std::istreambuf_iterator<char>());
    }
  }
  const char* runs_text = std::getenv("PROSE_FUZZ_RUNS");
  const long runs = runs_text != nullptr ? std::strtol(runs_text, nullptr, 10) : 2000;
  const char* seed_text = std::getenv("PROSE_FUZZ_SEED");
  std::signal(SIGABRT, found);
  for (const auto& b : corpus) run(b);
  std::mt19937_64 rng(seed_text != nullptr ? std::strtoull(seed_text, nullptr, 10) : 1);
  for (long i = 0; i < runs; ++i) {
    bytes b;
    if (!corpus.empty() && rng() % 4 != 0) {
      b = corpus[rng() % corpus.size()];
      mutate(b, rng);
    } else {
      b.resize(rng() % 600);
      for (auto& x : b) x = static_cast<std::uint8_t>(rng());
    }
    run(b);
  }
  std::printf("%zu corpus files and %ld mutations replayed\n", corpus.size(), runs);
  return finding_is_wanted ? 1 : 0;
}
