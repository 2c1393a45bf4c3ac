// The processes of one campaign: mpirun starts the program several times, and each does a part. Without mpirun there is
// one, and no MPI library is loaded.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"

namespace prose::apps {

/// What the module prose_mpi.so offers (mpi_module.cpp). It is loaded only where mpirun started the program.
struct mpi_functions {
  int (*begin)(int* rank, int* size);  ///< 0: done
  void (*sum)(std::int64_t* values, int n);
  /// Octets of every rank, to rank 0. `sizes` has one entry a rank there.
  void (*gather_sizes)(int own, int* sizes);
  void (*gather)(const char* own, int n, char* all, const int* sizes);
  void (*end)();
};

/// Rank 0 is the one that tells and writes. Calls that concern all ranks are made by all of them, in the same order and
/// from the main thread; else they wait for each other without end.
class ranks {
public:
  /// One process, alone.
  ranks() = default;
  /// Joins the others if mpirun (Open MPI: OMPI_COMM_WORLD_SIZE or PMIX_RANK in the environment) started the program;
  /// else alone. An error where the module is not installed. On other ranks than 0, standard output then takes nothing.
  static result<ranks> join();
  /// All ranks, when nothing more is summed or gathered. A rank that ends before, because of an error, does not call
  /// it: mpirun then ends the others.
  void leave();

  int rank() const { return rank_; }
  int size() const { return size_; }
  bool first() const { return rank_ == 0; }
  /// Started by mpirun, even if by itself.
  bool by_mpirun() const { return mpi_.begin != nullptr; }

  /// All ranks: each gets the sums over all of them. Also agrees on whether to stop.
  void sum(std::span<std::int64_t> values);
  /// All ranks: rank 0 gets every rank's text, in the order of ranks; the others get nothing. Also agrees on whether to
  /// stop.
  std::vector<std::string> gather(const std::string& own);
  /// Whether a signal asked to stop. Of several ranks: whether any had been asked at the last sum() or gather(), so
  /// that all end at the same place.
  bool stopped() const;

private:
  void agree_on_stop();
  mpi_functions mpi_{};
  int rank_ = 0, size_ = 1;
  bool stopped_ = false;
};

}  // namespace prose::apps
