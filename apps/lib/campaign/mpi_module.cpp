// The module prose_mpi.so: what a campaign needs of MPI, and nothing else. ranks.cpp loads it.
#define OMPI_SKIP_MPICXX 1  // the C++ bindings, of which libmpi has nothing
#include <mpi.h>

#include <cstdint>
#include <vector>

extern "C" {

int prose_mpi_begin(int* rank, int* size) {
  int level = 0;
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &level) != MPI_SUCCESS) return 1;
  MPI_Comm_rank(MPI_COMM_WORLD, rank);
  MPI_Comm_size(MPI_COMM_WORLD, size);
  return level >= MPI_THREAD_FUNNELED ? 0 : 1;
}

void prose_mpi_sum(std::int64_t* values, int n) {
  MPI_Allreduce(MPI_IN_PLACE, values, n, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
}

void prose_mpi_gather_sizes(int own, int* sizes) { MPI_Gather(&own, 1, MPI_INT, sizes, 1, MPI_INT, 0, MPI_COMM_WORLD); }

void prose_mpi_gather(const char* own, int n, char* all, const int* sizes) {
  int rank = 0, size = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  std::vector<int> at(static_cast<std::size_t>(size), 0);
  if (rank == 0)
    for (std::size_t i = 1; i < at.size(); ++i) at[i] = at[i - 1] + sizes[i - 1];
  MPI_Gatherv(own, n, MPI_CHAR, all, sizes, at.data(), MPI_CHAR, 0, MPI_COMM_WORLD);
}

void prose_mpi_end() { MPI_Finalize(); }

}  // extern "C"
