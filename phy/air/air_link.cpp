#include "phy/air/air_link.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <thread>

#include "phy/air/air_clock.h"

namespace prose::phy::air {
namespace {

constexpr off_t lock_base = off_t{1} << 40;  // far behind the file's end: locks need no bytes under them
constexpr off_t hub_byte = lock_base + max_nodes;

std::string shm_name(const std::string& air_name) { return "/prose-air-" + air_name; }

bool take_lock(int fd, off_t byte) {
  struct flock l {};
  l.l_type = F_WRLCK;
  l.l_whence = SEEK_SET;
  l.l_start = byte;
  l.l_len = 1;
  return fcntl(fd, F_OFD_SETLK, &l) == 0;
}

void drop_lock(int fd, off_t byte) {
  struct flock l {};
  l.l_type = F_UNLCK;
  l.l_whence = SEEK_SET;
  l.l_start = byte;
  l.l_len = 1;
  fcntl(fd, F_OFD_SETLK, &l);
}

// By anyone but this open file description.
bool is_locked(int fd, off_t byte) {
  struct flock l {};
  l.l_type = F_WRLCK;
  l.l_whence = SEEK_SET;
  l.l_start = byte;
  l.l_len = 1;
  return fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

// Memory that /dev/shm has no room for is missed only when it is written, as a SIGBUS: it is taken beforehand.
result<void> reserve(int fd, std::size_t from, std::size_t octets) {
  const int why = posix_fallocate(fd, static_cast<off_t>(from), static_cast<off_t>(octets));
  if (why == 0) return {};
  constexpr std::size_t mib = std::size_t{1} << 20;
  return fail("no room in /dev/shm: needs " + std::to_string((octets + mib - 1) / mib) + " MiB: " + std::strerror(why));
}

air_memory* map(int fd) {
  void* p = mmap(nullptr, sizeof(air_memory), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return p == MAP_FAILED ? nullptr : static_cast<air_memory*>(p);
}

void make_mutex(pthread_mutex_t& mutex) {
  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&mutex, &a);
  pthread_mutexattr_destroy(&a);
}

// An air whose hub is running and has finished setting it up; nothing where there is none (yet). The caller
// closes fd unless it gets memory.
result<air_memory*> map_running(int fd, const std::string& air_name) {
  struct stat st {};
  fstat(fd, &st);
  if (!is_locked(fd, hub_byte) || st.st_size <= 0) return nullptr;
  const auto other_version = [&] { return fail("air '" + air_name + "' was made by another version of prose-air"); };
  if (st.st_size != off_t{sizeof(air_memory)}) return other_version();
  air_memory* m = map(fd);
  if (m == nullptr) return nullptr;
  const bool ready = m->magic.load(std::memory_order_acquire) == layout_magic;
  if (ready && m->version == layout_version) return m;
  munmap(m, sizeof(air_memory));
  if (ready) return other_version();
  return nullptr;
}

constexpr auto attach_retry = std::chrono::milliseconds(20);  // chosen: soon enough for a person who starts both

}  // namespace

bool is_valid_name(std::string_view name) {
  return !name.empty() && name.size() < max_name && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
                  c == '.';
         });
}

name_text to_name_text(std::string_view name) {
  name_text t{};
  std::copy_n(name.begin(), std::min<std::size_t>(name.size(), max_name - 1), t.begin());
  return t;
}

std::string_view to_string_view(const name_text& name) { return {name.data(), strnlen(name.data(), name.size())}; }

result<air_link> air_link::create(const std::string& air_name, const air_settings& settings) {
  if (!is_valid_name(air_name))
    return fail("air name '" + air_name + "': accepted are 1 to 31 letters, digits, '_', '-', '.'");
  const std::string path = shm_name(air_name);
  const int old = shm_open(path.c_str(), O_RDWR | O_CLOEXEC, 0600);
  if (old >= 0) {
    const bool alive = is_locked(old, hub_byte);
    close(old);
    if (alive) return fail("air '" + air_name + "' is already running: give another name, or end the other prose-air");
    shm_unlink(path.c_str());
  }
  const int fd = shm_open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return fail("air '" + air_name + "': cannot create /dev/shm" + path + ": " + std::strerror(errno));
  air_memory* m = nullptr;
  const bool sized = take_lock(fd, hub_byte) && ftruncate(fd, sizeof(air_memory)) == 0;
  const auto room = sized ? reserve(fd, 0, offsetof(air_memory, rings)) : result<void>();
  if (!sized || !room || (m = map(fd)) == nullptr) {
    const std::string why = std::strerror(errno);
    close(fd);
    shm_unlink(path.c_str());
    if (!room) return fail("air '" + air_name + "': " + room.error().message);
    return fail("air '" + air_name + "': cannot map " + std::to_string(sizeof(air_memory) >> 20) +
                " MiB of shared memory: " + why);
  }
  // A new file reads as zeros: only what differs from zero is written, so that the rings stay untouched and cost
  // nothing.
  m->version = layout_version;
  m->bytes = sizeof(air_memory);
  m->hub_pid = static_cast<std::uint32_t>(getpid());
  m->settings = settings;
  make_mutex(m->mutex);
  for (node_slot& n : m->nodes) {
    n.rx_limit = no_limit;
    n.rx_mixed = no_limit;
    n.tx_commit = no_limit;
    for (wait_slot& w : n.waits) w.target = no_limit;
  }
  m->pace_ns = wall_ns();
  m->magic.store(layout_magic, std::memory_order_release);
  return air_link(air_name, fd, m, true);
}

result<air_link> air_link::attach(const std::string& air_name, std::chrono::milliseconds patience) {
  if (!is_valid_name(air_name))
    return fail("air=" + air_name + ": accepted are 1 to 31 letters, digits, '_', '-', '.'");
  const auto give_up = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const int fd = shm_open(shm_name(air_name).c_str(), O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) {
      const auto memory = map_running(fd, air_name);
      if (memory && *memory != nullptr) return air_link(air_name, fd, *memory, false);
      close(fd);
      if (!memory) return tl::unexpected(memory.error());
    }
    if (fd < 0 && errno == EACCES)
      return fail("air '" + air_name + "' belongs to another user: no permission to /dev/shm" + shm_name(air_name));
    if (std::chrono::steady_clock::now() >= give_up)
      return fail("air '" + air_name + "' is not running: start 'prose-air --air " + air_name + "', or give air=NAME");
    std::this_thread::sleep_for(attach_retry);
  }
}

air_link::air_link(air_link&& o) noexcept
    : name_(std::move(o.name_)),
      fd_(std::exchange(o.fd_, -1)),
      memory_(std::exchange(o.memory_, nullptr)),
      is_hub_(o.is_hub_),
      slot_(std::exchange(o.slot_, -1)) {}

air_link::~air_link() {
  if (memory_ == nullptr) return;
  leave();
  if (is_hub_) {
    memory_->shut_down.store(1);
    shm_unlink(shm_name(name_).c_str());
    wake_everybody(*memory_);
  }
  munmap(memory_, sizeof(air_memory));
  close(fd_);
}

bool air_link::hub_alive() const { return memory_->shut_down.load() == 0 && (is_hub_ || is_locked(fd_, hub_byte)); }
bool air_link::node_alive(int slot) const { return slot == slot_ || is_locked(fd_, lock_base + slot); }

result<int> air_link::join(std::string_view node_name) {
  if (!is_valid_name(node_name))
    return fail("name=" + std::string(node_name) + ": accepted are 1 to 31 letters, digits, '_', '-', '.'");
  const air_lock lock(*memory_);
  int chosen = -1;
  for (int i = 0; i < max_nodes; ++i) {
    node_slot& n = memory_->nodes[i];
    if (n.state == node_state::joined && to_string_view(n.name) == node_name) {
      if (node_alive(i)) return fail("name=" + std::string(node_name) + " is already on air '" + name_ + "'");
      retire_node(*memory_, n);
    }
    if (n.state == node_state::free && chosen < 0) chosen = i;
  }
  if (chosen < 0) return fail("air '" + name_ + "' is full: it has room for " + std::to_string(max_nodes) + " devices");
  if (!take_lock(fd_, lock_base + chosen))
    return fail("air '" + name_ + "': cannot lock a slot: " + std::strerror(errno));
  constexpr std::size_t ring_octets = sizeof(memory_->rings[0]);
  if (auto room =
          reserve(fd_, offsetof(air_memory, rings) + static_cast<std::size_t>(chosen) * ring_octets, ring_octets);
      !room) {
    drop_lock(fd_, lock_base + chosen);
    return fail("air '" + name_ + "': " + room.error().message);
  }
  node_slot& n = memory_->nodes[chosen];
  n.pid = static_cast<std::uint32_t>(getpid());
  n.name = to_name_text(node_name);
  n.generation.fetch_add(1);
  n.rx_limit = no_limit;
  n.rx_mixed = no_limit;
  n.rx_excluded = 0;
  n.rx_linger_ns = 0;
  n.tx_commit = no_limit;
  n.tx_excluded = 0;
  n.segment_count = 0;
  n.tx_ticks_per_sample = 0;
  for (wait_slot& w : n.waits) w.target = no_limit;
  n.state = node_state::joined;
  memory_->active.fetch_or(std::uint64_t{1} << chosen);
  memory_->membership.fetch_add(1);
  slot_ = chosen;
  return chosen;
}

void air_link::leave() {
  if (slot_ < 0) return;
  {
    const air_lock lock(*memory_);
    retire_node(*memory_, memory_->nodes[slot_]);
  }
  drop_lock(fd_, lock_base + slot_);
  slot_ = -1;
  advance(*memory_);
}

void retire_node(air_memory& m, node_slot& n) {
  const std::int64_t now = m.now.load();
  std::int64_t end = std::max(now, n.free_after);
  if (const std::uint64_t count = n.segment_count.load(); count > 0) {
    const segment& s = n.segments[(count - 1) % max_segments];
    end = std::max(end, (s.first_index.load() + s.length.load()) * s.ticks_per_sample);
  }
  n.rx_limit = no_limit;
  n.rx_mixed = no_limit;
  n.rx_linger_ns = 0;
  n.tx_commit = no_limit;
  n.free_after = end + m.settings.keep_ticks + 2 * ticks_per_ms;
  n.state = node_state::leaving;
  m.membership.fetch_add(1);
  m.dirty.store(1);
}

}  // namespace prose::phy::air
