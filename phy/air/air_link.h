// Attaching to an air: the mapping, membership, and who is alive. Liveness is an open-file-description lock on one byte
// a node: the kernel drops it when a process ends in any way, in any pid namespace, and a process id used again cannot
// deceive it.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "common/result.h"
#include "phy/air/shm_layout.h"

namespace prose::phy::air {

/// 1 to 31 letters, digits, '_', '-', '.': names of airs and of nodes.
bool is_valid_name(std::string_view name);
name_text to_name_text(std::string_view name);
std::string_view to_string_view(const name_text& name);

class air_link {
public:
  /// For the hub. Fails when a living hub has the name; takes over what a dead one left.
  static result<air_link> create(const std::string& air_name, const air_settings& settings);
  /// For a device. Waits up to `patience` for the hub to appear.
  static result<air_link> attach(const std::string& air_name, std::chrono::milliseconds patience);

  air_link(air_link&& other) noexcept;
  air_link& operator=(air_link&&) = delete;
  ~air_link();

  air_memory& memory() const { return *memory_; }
  const std::string& name() const { return name_; }

  /// Takes a slot; the link holds it until leave() or its end.
  result<int> join(std::string_view node_name);
  void leave();
  int slot() const { return slot_; }

  bool hub_alive() const;
  bool node_alive(int slot) const;

private:
  air_link(std::string name, int fd, air_memory* memory, bool is_hub)
      : name_(std::move(name)), fd_(fd), memory_(memory), is_hub_(is_hub) {}
  std::string name_;
  int fd_ = -1;
  air_memory* memory_ = nullptr;
  bool is_hub_ = false;
  int slot_ = -1;
};

/// Under the mutex: ends a node's receiving and its open burst; the slot becomes free when all it sent has been heard.
void retire_node(air_memory& m, node_slot& n);

}  // namespace prose::phy::air
