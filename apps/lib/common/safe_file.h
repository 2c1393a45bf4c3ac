// Files that others must not read, or must not write. Every check is made on the open descriptor, so what is checked is
// what is read.
//
// A private file (key, mark, cache, pin, key log): not a symbolic link, owned by the user or root, mode 0600 or
// stricter. A trusted file (permissions, configuration, certificate): owned by the user or root, and only they may
// write it (a group that is the owner's own, with nobody else in it, counts as the owner). It may be reached through
// symbolic links if only the user or root can write each link and every directory on the way. An output about peers
// (events, reports, captures): made with mode 0600.
//
// Errors are one line: the file, what is wrong, what to do.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "apps/lib/common/file_descriptor.h"
#include "common/result.h"

namespace prose::apps {

/// From now on this process makes and changes no file: what would be written is judged by what is there and by the
/// rights to it, and goes nowhere. For --check, before anything is opened.
void look_only();
bool looks_only();

inline constexpr std::size_t largest_safe_file = std::size_t{1} << 20;  ///< octets

/// Refused: a symbolic link, no regular file, another user's, any right of group or others, larger than `most` octets.
result<std::string> read_private_file(const std::string& path, std::size_t most = largest_safe_file);
/// Refused: another user's, writable by group or others, and such a directory or link where a symbolic link leads
/// there.
result<std::string> read_trusted_file(const std::string& path, std::size_t most = largest_safe_file);
/// A trusted file, or a device or pipe that only the user or root can write, as in --config <(command).
result<std::string> read_configuration_file(const std::string& path, std::size_t most);
/// The same checks on a descriptor, for who reads the file in his own way. `flags`: O_RDONLY or O_RDWR.
result<file_descriptor> open_private_file(const std::string& path, int flags);

/// No file of this name, not even a link without a target.
bool is_absent(const std::string& path);

/// "-" is standard output where it is accepted, and never a file. Everything below refuses it: who accepts it has dealt
/// with it before.
result<void> refuse_dash(const std::string& path);

/// A new private file; refused if the name is taken.
result<void> create_private_file(const std::string& path, std::string_view text);
/// The whole file in one step: a new one (O_EXCL, 0600), synchronised, then renamed. Refused where the name is taken by
/// anything but a regular file.
result<void> replace_private_file(const std::string& path, std::string_view text);
/// As above for a trusted file. Where the path is a link that read_trusted_file would follow, its target is replaced
/// and the link stays.
result<void> replace_trusted_file(const std::string& path, std::string_view text);
/// Could replace_private_file write it now? The file itself is not touched; a file beside it is made and removed.
result<void> check_replaceable(const std::string& path);

/// The number that /dev/stdout, /dev/fd/N and the like name: what is open already, and was judged by who opened it.
std::optional<int> own_descriptor(const std::string& path);
/// Another descriptor of the same: it goes on where the first one is, and cuts nothing.
result<file_descriptor> own_output(int fd, const std::string& path);

enum class output_mode { truncate, append, probe };
/// Opens what a program writes about peers. A new file has mode 0600. An old one that others may open is replaced
/// (truncate), refused (append), or opened without a change (probe: could it be written later? A new one is not left,
/// and a pipe is not opened, since its reader would see the end). Refused: a symbolic link, another user's file. A pipe
/// of one's own gets mode 0600; devices and /dev/stdout, /dev/fd/N are taken as they are.
result<file_descriptor> open_private_output(const std::string& path, output_mode mode);

/// Could open(2) make it, or empty it if it is there? Nothing is touched. For who opens outputs in his own way.
result<void> check_openable(const std::string& path);

/// Why octets were not written, from errno: "disk full", "its reader has left", or the system's words.
std::string why_not_written(int error_number);

/// All of such an output at once. A file appears whole or not at all where its folder can be written; pipes and devices
/// are written in place.
result<void> write_private_output(const std::string& path, std::string_view text);

/// The first line of a file of ours: "# prose KIND VERSION". Files of 0.1 have none and count as version 0.
std::string version_line(std::string_view kind, int version);
/// 0: no such line. Refused: a version above `newest`. Where # begins a comment the text may be read as it is.
result<int> version_of(std::string_view text, std::string_view kind, int newest, const std::string& path);

}  // namespace prose::apps
