#include "apps/lib/campaign/ranks.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <numeric>

#include "apps/lib/common/stop.h"

namespace prose::apps {
namespace {

/// PREFIX/bin beside PREFIX/lib/prose; the build folder is laid out alike.
std::string module_path() {
  std::error_code ignored;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  return (program / "../lib/prose/prose_mpi.so").lexically_normal().string();
}

bool started_by_mpirun() {
  return std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr || std::getenv("PMIX_RANK") != nullptr;
}

template <class F>
bool find(void* module, const char* name, F& function) {
  function = reinterpret_cast<F>(dlsym(module, name));
  return function != nullptr;
}

result<mpi_functions> load() {
  const auto path = module_path();
  // Global: parts of Open MPI that it loads itself look for its symbols.
  void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (module == nullptr) {
    const char* why = dlerror();
    return fail("started by mpirun, and MPI is not there: " + std::string(why != nullptr ? why : path) +
                "; accepted: the package prose-mpi, or one process without mpirun");
  }
  mpi_functions f{};
  if (!find(module, "prose_mpi_begin", f.begin) || !find(module, "prose_mpi_sum", f.sum) ||
      !find(module, "prose_mpi_gather_sizes", f.gather_sizes) || !find(module, "prose_mpi_gather", f.gather) ||
      !find(module, "prose_mpi_end", f.end))
    return fail(path + " is of another version");
  return f;
}

void silence(int fd) {
  const int nothing = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nothing < 0) return;
  ::dup2(nothing, fd);
  ::close(nothing);
}

}  // namespace

result<ranks> ranks::join() {
  ranks r;
  if (!started_by_mpirun()) return r;
  const auto f = load();
  if (!f) return tl::unexpected(f.error());
  r.mpi_ = *f;
  if (r.mpi_.begin(&r.rank_, &r.size_) != 0) return fail("MPI does not start");
  if (!r.first()) silence(STDOUT_FILENO);
  return r;
}

void ranks::leave() {
  if (by_mpirun()) mpi_.end();
}

void ranks::agree_on_stop() {
  std::int64_t n = stop_requested() ? 1 : 0;
  if (size_ > 1) mpi_.sum(&n, 1);
  stopped_ = stopped_ || n != 0;
}

void ranks::sum(std::span<std::int64_t> values) {
  if (size_ > 1) mpi_.sum(values.data(), static_cast<int>(values.size()));
  agree_on_stop();
}

std::vector<std::string> ranks::gather(const std::string& own) {
  std::vector<std::string> texts;
  if (size_ == 1) {
    texts.push_back(own);
  } else {
    std::vector<int> sizes(size_, 0);
    mpi_.gather_sizes(static_cast<int>(own.size()), sizes.data());
    std::string all(static_cast<std::size_t>(std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0})), '\0');
    mpi_.gather(own.data(), static_cast<int>(own.size()), all.data(), sizes.data());
    std::size_t at = 0;
    if (first())
      for (const int n : sizes) texts.push_back(all.substr(at, n)), at += n;
  }
  agree_on_stop();
  return texts;
}

bool ranks::stopped() const { return size_ == 1 ? stop_requested() : stopped_; }

}  // namespace prose::apps
