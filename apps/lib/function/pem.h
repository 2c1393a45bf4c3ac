// mbedTLS takes PEM with its closing zero octet, and DER without.
#pragma once

#include <cstddef>
#include <string>

namespace prose::function {

inline const unsigned char* octets_of(const std::string& file) {
  return reinterpret_cast<const unsigned char*>(file.c_str());
}
inline std::size_t pem_size(const std::string& file) {
  return file.size() + (file.find("-----BEGIN ") != std::string::npos ? 1 : 0);
}

}  // namespace prose::function
