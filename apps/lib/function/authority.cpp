// The small private CA: a self-signed root and the certificates of servers and UEs.
#include <fcntl.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/x509_crt.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "apps/lib/common/mbedtls_versions.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/function/pem.h"
#include "apps/lib/function/store.h"
#include "apps/lib/function/tls.h"

namespace prose::function {
namespace mbed = apps::mbed;
namespace {

struct random_source {
  mbedtls_entropy_context entropy;
  mbedtls_ctr_drbg_context random;
  random_source() {
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random);
  }
  ~random_source() {
    mbedtls_ctr_drbg_free(&random);
    mbedtls_entropy_free(&entropy);
  }
  bool seed() { return mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, nullptr, 0) == 0; }
};

struct key_holder {
  mbedtls_pk_context pk;
  key_holder() { mbedtls_pk_init(&pk); }
  ~key_holder() { mbedtls_pk_free(&pk); }
};

struct certificate_holder {
  mbedtls_x509_crt crt;
  certificate_holder() { mbedtls_x509_crt_init(&crt); }
  ~certificate_holder() { mbedtls_x509_crt_free(&crt); }
};

struct writer_holder {
  mbedtls_x509write_cert writer;
  writer_holder() { mbedtls_x509write_crt_init(&writer); }
  ~writer_holder() { mbedtls_x509write_crt_free(&writer); }
};

std::string utc(std::time_t t) {
  std::tm parts{};
  gmtime_r(&t, &parts);
  char text[16];
  std::strftime(text, sizeof text, "%Y%m%d%H%M%S", &parts);
  return text;
}

// A certificate is for everybody to read.
result<void> write_new_certificate(const std::string& path, const char* text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return fail(path + ": " + std::strerror(errno));
  const std::size_t size = std::strlen(text);
  const bool ok = write(fd, text, size) == static_cast<ssize_t>(size) && fsync(fd) == 0;
  if (close(fd) == 0 && ok) return {};
  unlink(path.c_str());
  return fail(path + ": cannot write");
}

// issuer empty: self-signed.
result<void> make_certificate(const std::string& folder, const std::string& name, const std::string& issuer,
                              std::optional<certificate_use> use, int valid_days, std::optional<std::int64_t> at_s) {
  if (!valid_name(name)) return fail("certificate name '" + name + "': accepted are 1 to 64 of a-z A-Z 0-9 . _ -");
  if (valid_days < 1 || valid_days > 36500) return fail("validity: accepted are 1 to 36500 days");
  const std::string base = folder + "/" + name;
  const std::string own_key = base + ".key", own_crt = base + ".crt";
  // Neither or both: a new key beside an old certificate, or the other way round, would be of no use to anybody.
  for (const auto& path : {own_key, own_crt}) {
    struct stat there {};
    if (lstat(path.c_str(), &there) == 0) return fail(path + ": " + std::strerror(EEXIST));
  }
  random_source random;
  key_holder key;
  key_holder issuer_key;
  certificate_holder issuer_crt;
  writer_holder out;
  const auto failed = [&](const std::string& what, int code) {
    char text[160];
    mbedtls_strerror(code, text, sizeof text);
    return fail(what + ": " + text);
  };
  if (mbed::initialise() != 0 || !random.seed()) return fail("certificate: no entropy");
  int code = mbedtls_pk_setup(&key.pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
  if (code == 0)
    code =
        mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key.pk), mbedtls_ctr_drbg_random, &random.random);
  if (code != 0) return failed("certificate key", code);

  const bool self_signed = issuer.empty();
  std::string issuer_subject = "CN=" + name;
  if (!self_signed) {
    const std::string key_path = folder + "/" + issuer + ".key";
    const std::string crt_path = folder + "/" + issuer + ".crt";
    const auto crt_pem = apps::read_trusted_file(crt_path);
    if (!crt_pem) return tl::unexpected<error>(crt_pem.error());
    if ((code = mbedtls_x509_crt_parse(&issuer_crt.crt, octets_of(*crt_pem), pem_size(*crt_pem))) != 0)
      return failed(crt_path, code);
    auto pem = apps::read_private_file(key_path);
    if (!pem) return tl::unexpected<error>(pem.error());
    code = mbed::parse_key(issuer_key.pk, {octets_of(*pem), pem_size(*pem)}, random.random);
    mbedtls_platform_zeroize(pem->data(), pem->size());
    if (code != 0) return failed(key_path, code);
    if (mbed::check_pair(issuer_crt.crt.pk, issuer_key.pk, random.random) != 0)
      return fail(key_path + ": not the key of " + crt_path);
    char subject[256];
    if ((code = mbedtls_x509_dn_gets(subject, sizeof subject, &issuer_crt.crt.subject)) < 0)
      return failed(crt_path, code);
    issuer_subject = subject;
  }

  auto* w = &out.writer;
  const std::time_t now = at_s ? static_cast<std::time_t>(*at_s) : std::time(nullptr);
  const std::string subject = "CN=" + name;
  std::array<unsigned char, 16> serial{};
  mbedtls_ctr_drbg_random(&random.random, serial.data(), serial.size());
  serial[0] = static_cast<unsigned char>((serial[0] & 0x7f) | 0x40);  // positive, and of full length
  mbedtls_x509write_crt_set_version(w, MBEDTLS_X509_CRT_VERSION_3);
  mbedtls_x509write_crt_set_md_alg(w, MBEDTLS_MD_SHA256);
  mbedtls_x509write_crt_set_subject_key(w, &key.pk);
  mbedtls_x509write_crt_set_issuer_key(w, self_signed ? &key.pk : &issuer_key.pk);
  // A day back: clocks of UEs differ.
  const std::string begin = utc(now - 86400);
  const std::string end = utc(now + std::time_t{valid_days} * 86400);
  if ((code = mbedtls_x509write_crt_set_subject_name(w, subject.c_str())) != 0 ||
      (code = mbedtls_x509write_crt_set_issuer_name(w, issuer_subject.c_str())) != 0 ||
      (code = mbed::set_serial(*w, serial)) != 0 ||
      (code = mbedtls_x509write_crt_set_validity(w, begin.c_str(), end.c_str())) != 0 ||
      (code = mbedtls_x509write_crt_set_basic_constraints(w, self_signed ? 1 : 0, self_signed ? 0 : -1)) != 0 ||
      (code = mbedtls_x509write_crt_set_subject_key_identifier(w)) != 0 ||
      (code = mbedtls_x509write_crt_set_authority_key_identifier(w)) != 0)
    return failed("certificate of " + name, code);
  if (use) {
    // ExtKeyUsageSyntax: a SEQUENCE of one OID, id-kp-serverAuth or id-kp-clientAuth.
    const bool server = *use == certificate_use::server;
    const unsigned char usage[] = {0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06,
                                   0x01, 0x05, 0x05, 0x07, 0x03, static_cast<unsigned char>(server ? 1 : 2)};
    if ((code = mbedtls_x509write_crt_set_extension(w, MBEDTLS_OID_EXTENDED_KEY_USAGE,
                                                    MBEDTLS_OID_SIZE(MBEDTLS_OID_EXTENDED_KEY_USAGE), 0, usage,
                                                    sizeof usage)) != 0)
      return failed("certificate of " + name, code);
  }

  std::array<unsigned char, 4096> pem{};
  if ((code = mbedtls_x509write_crt_pem(w, pem.data(), pem.size(), mbedtls_ctr_drbg_random, &random.random)) != 0)
    return failed("certificate of " + name, code);
  std::array<unsigned char, 2048> key_pem{};
  if ((code = mbedtls_pk_write_key_pem(&key.pk, key_pem.data(), key_pem.size())) != 0)
    return failed("key of " + name, code);
  auto ok = apps::create_private_file(own_key, reinterpret_cast<const char*>(key_pem.data()));
  mbedtls_platform_zeroize(key_pem.data(), key_pem.size());
  if (!ok) return ok;
  ok = write_new_certificate(own_crt, reinterpret_cast<const char*>(pem.data()));
  if (!ok) unlink(own_key.c_str());
  return ok;
}

}  // namespace

result<void> make_authority(const std::string& folder, const std::string& name, int valid_days,
                            std::optional<std::int64_t> at_s) {
  return make_certificate(folder, name, "", std::nullopt, valid_days, at_s);
}

result<void> issue_certificate(const std::string& folder, const std::string& authority, const std::string& name,
                               certificate_use use, int valid_days, std::optional<std::int64_t> at_s) {
  return make_certificate(folder, name, authority, use, valid_days, at_s);
}

}  // namespace prose::function
