// SPDX-License-Identifier: MIT
#pragma once

// A certificate with all that a server needs of it, read from files.

#include <chrono>
#include <string>
#include <vector>

#include "tls/openssl_objects.hpp"
#include "tls/problem.hpp"
#include "umcg/tls/context.hpp"

namespace umcg::tls {

struct certificate {
  owned_x509 leaf;
  owned_chain chain;  // what issued it; may be empty
  owned_key key;
  std::vector<std::string> names;  // DNS names, wildcards among them
  std::string staple;              // an OCSP response; empty: none
  std::chrono::system_clock::time_point staple_until;
};

// Also tells whether the key is the certificate's. Errors: in `wrong`.
certificate load_certificate(const certificate_files& files, problem& wrong);

// The bytes of a file, of one MiB at most. Errors: in `wrong`, those of fopen() and fread(),
// file_too_large.
std::string read_file(const std::string& path, problem& wrong);

// The values of one kind, such as GEN_DNS, in the subjectAltName of `of`. One that is not printable
// ASCII is left out: it could look like another.
std::vector<std::string> alternative_names(const X509* of, int kind);

}  // namespace umcg::tls
