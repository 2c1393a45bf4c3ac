#include "phy/io/container.h"

#include <algorithm>

namespace prose::phy {
namespace {
using namespace std::string_view_literals;

struct mark {
  std::size_t at;
  std::string_view octets, what;
};
// At least 32 bits each: samples begin like this once in thousands of millions of files.
constexpr mark marks[] = {
    {8, "WAVE"sv, "a WAV file"},
    {8, "AVI "sv, "an AVI file"},
    {0, "RIFF"sv, "a RIFF file"},
    {0, "RIFX"sv, "a RIFF file"},
    {0, "RF64"sv, "a WAV file (RF64)"},
    {0, "BW64"sv, "a WAV file (BW64)"},
    {0, "riff\x2e\x91\xcf\x11"sv, "a WAV file (W64)"},
    {0, "FORM"sv, "an AIFF file"},
    {0, ".snd\0\0"sv, "a sound file (AU)"},
    {0, "fLaC"sv, "a FLAC file"},
    {0, "OggS"sv, "an Ogg file"},
    {0, "caff\0\1"sv, "a sound file (CAF)"},
    {257, "ustar"sv, "a tar archive; SigMF archives have names that end in .sigmf"},
    {0, "\x1f\x8b\x08\x00"sv, "a gzip archive"},
    {0, "\x1f\x8b\x08\x08"sv, "a gzip archive"},
    {0, "PK\x03\x04"sv, "a zip archive"},
    {0, "PK\x05\x06"sv, "a zip archive"},
    {0,
     "\xfd"
     "7zXZ\0"sv,
     "an xz archive"},
    {0, "7z\xbc\xaf\x27\x1c"sv, "a 7z archive"},
    {0, "\x28\xb5\x2f\xfd"sv, "a zstd archive"},
    {0, "\x04\x22\x4d\x18"sv, "an lz4 archive"},
    {4, "1AY&SY"sv, "a bzip2 archive"},
    {0, "Rar!\x1a\x07"sv, "a rar archive"},
    {0, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file"},
    {0, "\x93NUMPY"sv, "a NumPy file"},
    {0, "MATLAB 5"sv, "a MATLAB file"},
    {0, "BLUE"sv, "a Midas BLUE file"},
    {0, "\x89PNG\r\n\x1a\n"sv, "a PNG picture"},
    {0, "%PDF"sv, "a PDF"},
    {0,
     "\x7f"
     "ELF"sv,
     "a program"},
    {0, "SQLite format 3"sv, "a database"},
    {0, "\x0a\x0d\x0d\x0a"sv, "a pcapng capture"},
    {0, "version https://git-lfs"sv, "a Git LFS pointer: the samples are elsewhere (git lfs pull)"},
    {0, "/annex/objects/"sv, "a git-annex pointer: the samples are elsewhere (git annex get)"},
    {0, "../.git/annex/"sv, "a git-annex pointer: the samples are elsewhere (git annex get)"},
};

constexpr std::size_t shortest_text = 16;  // fewer octets may look like one by chance

/// UTF-8 without control characters but those of a text. A character that the end cuts is one.
bool is_text(std::span<const std::uint8_t> head) {
  if (head.size() < shortest_text) return false;
  for (std::size_t i = 0; i < head.size();) {
    const std::uint8_t b = head[i++];
    if (b < 0x20 ? b != '\t' && b != '\n' && b != '\r' && b != '\f' : b == 0x7F) return false;
    if (b < 0x80) continue;
    if (b < 0xC2 || b > 0xF4) return false;
    for (int more = b < 0xE0 ? 1 : b < 0xF0 ? 2 : 3; more > 0 && i < head.size(); --more, ++i)
      if ((head[i] & 0xC0U) != 0x80) return false;
  }
  return true;
}
}  // namespace

std::string_view container_of(std::span<const std::uint8_t> head) {
  head = head.first(std::min(head.size(), container_head_bytes));
  for (const auto& m : marks) {
    if (head.size() < m.at + m.octets.size()) continue;
    if (std::equal(m.octets.begin(), m.octets.end(), head.begin() + m.at,
                   [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; }))
      return m.what;
  }
  return is_text(head) ? "a text" : std::string_view{};
}

}  // namespace prose::phy
