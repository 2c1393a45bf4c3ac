// Key files (one line of base64, mode 0600) and permission files (who may discover us and be discovered by us).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "security/identity.h"

namespace prose::keys {

std::string to_base64(security::bytes_view octets);
/// Strips what editors and clipboards add: a byte order mark in front, blanks and line ends around.
std::string_view pasted(std::string_view text);
/// Only the canonical form of exactly 32 octets: 44 characters, no spaces, no bits left over. `what` names it in the
/// error.
result<std::array<std::uint8_t, 32>> key_from_base64(std::string_view text, const std::string& what);

/// Refused: what apps/lib/common/safe_file.h refuses of a private file, not one line of base64, all-zero.
result<security::static_private_key> read_private_key(const std::string& path);
result<security::pre_shared_key> read_psk(const std::string& path);
/// Creates the file with mode 0600; refused if it exists.
result<void> write_secret(const std::string& path, security::bytes_view octets);
/// A log of session keys that the user asked for, to append to: an output as in apps/lib/common/safe_file.h. The caller
/// closes it.
result<int> open_key_log(const std::string& path);

/// Refused: all-zero, low-order and non-canonical keys.
result<security::public_key> check_public_key(const std::string& base64, security::dh_port& dh,
                                              security::random_port& random);

/// One line of a permission file: NAME PUBLIC-KEY [psk=FILE]. Permission is mutual: a link comes about only if each
/// side has such a line for the other.
struct permission {
  std::string name;
  security::public_key key;
  std::string psk_path;  // as written: the rest of the line behind psk=; empty: none
};
/// The file that psk= names: beside the permission file; for files of version 0.1 from the working directory where only
/// that exists.
std::string psk_file(const std::string& permissions_path, const std::string& psk_path);
/// Errors are "FILE:LINE: what; accepted: ...". Duplicate names and keys are refused. Empty lines and # comments are
/// skipped.
result<std::vector<permission>> read_permissions(const std::string& path, security::dh_port& dh,
                                                 security::random_port& random);
result<std::vector<permission>> parse_permissions(const std::string& text, const std::string& path,
                                                  security::dh_port& dh, security::random_port& random);
/// Replaces the file in one step (write, sync, rename). Behind a symbolic link its target is replaced.
result<void> write_permissions(const std::string& path, const std::vector<permission>& all);
/// Puts a peer's line in the place of its old one, or at the end; null: takes it out. All other lines stay as the user
/// wrote them. Refused before the file is touched: what could not be read again.
result<void> change_permission(const std::string& path, const std::string& name, const permission* now,
                               security::dh_port& dh, security::random_port& random);
/// The same lines in a file that a program keeps for itself (cache, pins): no link, mode 0600.
result<std::vector<permission>> read_private_permissions(const std::string& path, security::dh_port& dh,
                                                         security::random_port& random);
result<void> write_private_permissions(const std::string& path, const std::vector<permission>& all);

/// 1 to 64 of a-z A-Z 0-9 . _ -
bool valid_name(const std::string& name);

/// What both users of a pair read to each other to know that nobody swapped keys: eight groups of eight digits.
std::string fingerprint_text(const security::public_key& own, const security::public_key& other);

/// The slot mark on disk (see security/slot_clock.h). Empty when the file does not exist.
result<std::optional<security::slot_t>> read_mark(const std::string& path);
result<void> write_mark(const std::string& path, security::slot_t mark);
/// Whether write_mark() would succeed now.
result<void> check_mark_writable(const std::string& path);

}  // namespace prose::keys
