// Runs a fuzz target without libFuzzer: every file of the corpus folder, then a fixed number of seeded mutations of those
// files and of random inputs. It finds far less than a fuzzer does; it keeps the targets and their findings from rotting.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {
using bytes = std::vector<std::uint8_t>;

void mutate(bytes& b, std::mt19937_64& rng) {
  const int edits = 1 + static_cast<int>(rng() % 8);
  for (int i = 0; i < edits; ++i) {
    const auto op = rng() % 4;
    if (op == 0 || b.empty()) {
      b.insert(b.begin() + static_cast<std::ptrdiff_t>(rng() % (b.size() + 1)), static_cast<std::uint8_t>(rng()));
    } else if (op == 1) {
      b.erase(b.begin() + static_cast<std::ptrdiff_t>(rng() % b.size()));
    } else if (op == 2) {
      b[rng() % b.size()] ^= static_cast<std::uint8_t>(1U << (rng() % 8));
    } else {
      b.resize(rng() % (b.size() + 1));
    }
  }
}
}  // namespace

int main(int argc, char** argv) {
  std::vector<bytes> corpus;
  if (argc > 1 && std::filesystem::is_directory(argv[1])) {
    for (const auto& e : std::filesystem::directory_iterator(argv[1])) {
      std::ifstream f(e.path(), std::ios::binary);
      corpus.emplace_back(std::istreambuf_iterator<char>(f), std::istreambuf_iterator<char>());
    }
  }
  const char* runs_text = std::getenv("PROSE_FUZZ_RUNS");
  const long runs = runs_text != nullptr ? std::strtol(runs_text, nullptr, 10) : 2000;
  for (const auto& b : corpus) LLVMFuzzerTestOneInput(b.data(), b.size());
  std::mt19937_64 rng(1);
  for (long i = 0; i < runs; ++i) {
    bytes b;
    if (!corpus.empty() && rng() % 4 != 0) {
      b = corpus[rng() % corpus.size()];
      mutate(b, rng);
    } else {
      b.resize(rng() % 600);
      for (auto& x : b) x = static_cast<std::uint8_t>(rng());
    }
    LLVMFuzzerTestOneInput(b.data(), b.size());
  }
  std::printf("%zu corpus files and %ld mutations replayed\n", corpus.size(), runs);
  return 0;
}
