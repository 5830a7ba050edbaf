// A packed model: one file, mapped into memory and checked before anything in it is used.
//
//   bytes 0-7    "LOQUENT\0"
//   8-11         layout version        12-15  number of sections
//   16-23        bytes of the description (JSON)
//   24-31        bytes of the directory
//   32-39        checksum of the description and the directory
//   40-63        zero
//   64 …         description, directory, then the sections, each at a multiple of 64 bytes
//
// An entry of the directory: u32 bytes of the name, u32 form, u64 rows, u64 columns, u64 offset,
// u64 bytes, u64 checksum of the section, then the name. All numbers are little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <stdexcept>
#include <string>

#include "layout.hpp"

namespace loquent {

// A file that is not as it should be: the message names the place. Bytes of the file that it quotes and that
// are no ASCII are written as \xff.
struct FileError : std::runtime_error {
  explicit FileError(const std::string& message) : std::runtime_error(printable(message)) {}

 private:
  static std::string printable(const std::string& message);
};

// How a section is stored: as a matrix of one of the kinds, or as plain floats, row by row.
constexpr std::uint32_t kPlain = kKinds;

struct Section {
  std::uint32_t form = 0;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::span<const std::byte> bytes;
};

class PackedFile {
 public:
  // Throws FileError for a file that cannot be read, is damaged or of another version.
  explicit PackedFile(const std::string& path);
  ~PackedFile();
  PackedFile(const PackedFile&) = delete;
  PackedFile& operator=(const PackedFile&) = delete;

  const std::string& description() const { return description_; }
  const std::map<std::string, Section, std::less<>>& sections() const { return sections_; }
  std::size_t bytes() const { return bytes_.size(); }

 private:
  void check();
  void read_directory(std::span<const std::byte> directory, std::size_t start, std::uint32_t count);

  std::span<const std::byte> bytes_;
  std::string description_;
  std::map<std::string, Section, std::less<>> sections_;
};

// A fast sum that notices damage; it is no protection against forgery.
std::uint64_t checksum(std::span<const std::byte> bytes);

}  // namespace loquent
