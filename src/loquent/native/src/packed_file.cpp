#include "packed_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>

namespace loquent {

static_assert(std::endian::native == std::endian::little, "packed files are little-endian");

namespace {

constexpr std::size_t kHeaderBytes = 64;
constexpr std::size_t kEntryBytes = 48;
constexpr char kMagic[8] = {'L', 'O', 'Q', 'U', 'E', 'N', 'T', '\0'};

template <class T>
T read(std::span<const std::byte> bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::string number(std::uint64_t value) { return std::to_string(value); }

// Bytes that a section of these sizes has; throws where they are beyond all reason.
std::size_t expected_bytes(std::uint32_t form, std::uint64_t rows, std::uint64_t columns,
                           const std::string& place) {
  constexpr std::uint64_t most = std::uint64_t(1) << 31;
  if (form > kPlain) throw FileError(place + "has the unknown form " + number(form) + ".");
  if (rows == 0 || columns == 0 || rows > most || columns > most || rows * columns > most << 8)
    throw FileError(place + "has the impossible shape " + number(rows) + " x " + number(columns) +
                    ".");
  if (form == kPlain) return rows * columns * sizeof(float);
  return matrix_bytes(Kind(form), rows, columns);
}

}  // namespace

std::uint64_t checksum(std::span<const std::byte> bytes) {
  constexpr std::uint64_t prime = 0x9e3779b185ebca87u;
  constexpr std::size_t lanes = 8;
  std::array<std::uint64_t, lanes> sums{};
  std::size_t at = 0;
  for (; at + 8 * lanes <= bytes.size(); at += 8 * lanes)
    for (std::size_t lane = 0; lane < lanes; ++lane)
      sums[lane] = std::rotl((sums[lane] ^ read<std::uint64_t>(bytes, at + 8 * lane)) * prime, 31);
  std::uint64_t total = bytes.size() * prime;
  for (; at < bytes.size(); ++at)
    total = std::rotl((total ^ std::uint64_t(bytes[at])) * prime, 31);
  for (const std::uint64_t sum : sums) total = std::rotl((total ^ sum) * prime, 31);
  return total ^ total >> 29;
}

std::string FileError::printable(const std::string& message) {
  constexpr char digits[] = "0123456789abcdef";
  std::string made;
  for (const char each : message) {
    const unsigned char byte = static_cast<unsigned char>(each);
    if (byte < 0x80)
      made += each;
    else
      made.append("\\x").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
  }
  return made;
}

PackedFile::PackedFile(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw FileError(std::string("cannot be opened: ") + std::strerror(errno) + ".");
  struct stat status = {};
  const bool known = ::fstat(file, &status) == 0 && S_ISREG(status.st_mode);
  const std::size_t size = known ? std::size_t(status.st_size) : 0;
  void* start = MAP_FAILED;
  if (size >= kHeaderBytes) start = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0);
  ::close(file);
  if (size < kHeaderBytes)
    throw FileError("is no packed model: it has " + number(size) + " bytes.");
  if (start == MAP_FAILED)
    throw FileError(std::string("cannot be mapped: ") + std::strerror(errno) + ".");
  bytes_ = {static_cast<const std::byte*>(start), size};
  try {
    check();
  } catch (...) {
    ::munmap(start, size);
    throw;
  }
}

PackedFile::~PackedFile() {
  ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void PackedFile::check() {
  if (std::memcmp(bytes_.data(), kMagic, sizeof kMagic) != 0)
    throw FileError("byte 0: is no packed model.");
  const auto version = read<std::uint32_t>(bytes_, 8);
  if (version != kLayoutVersion)
    throw FileError("byte 8: has the layout version " + number(version) + ", not " +
                    number(kLayoutVersion) + ".");
  const auto count = read<std::uint32_t>(bytes_, 12);
  const auto description = read<std::uint64_t>(bytes_, 16);
  const auto directory = read<std::uint64_t>(bytes_, 24);
  const std::size_t left = bytes_.size() - kHeaderBytes;
  if (description > left)
    throw FileError("byte 16: the description ends behind the end of the file.");
  if (directory > left - description)
    throw FileError("byte 24: the directory ends behind the end of the file.");
  for (std::size_t at = 40; at < kHeaderBytes; ++at)
    if (bytes_[at] != std::byte(0)) throw FileError("byte " + number(at) + ": is not zero.");
  if (read<std::uint64_t>(bytes_, 32) !=
      checksum(bytes_.subspan(kHeaderBytes, description + directory)))
    throw FileError("byte 32: the description or the directory is damaged.");
  description_.assign(reinterpret_cast<const char*>(bytes_.data()) + kHeaderBytes, description);
  const std::size_t start = kHeaderBytes + description;
  read_directory(bytes_.subspan(start, directory), start, count);
}

void PackedFile::read_directory(std::span<const std::byte> directory, std::size_t start,
                                std::uint32_t count) {
  std::size_t at = 0, end = start + directory.size();
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string entry = "byte " + number(start + at) + ": ";
    if (directory.size() - at < kEntryBytes) throw FileError(entry + "the directory is cut off.");
    const auto name_bytes = read<std::uint32_t>(directory, at);
    if (name_bytes > directory.size() - at - kEntryBytes)
      throw FileError(entry + "a name ends behind the directory.");
    const std::string name(reinterpret_cast<const char*>(directory.data()) + at + kEntryBytes,
                           name_bytes);
    const std::string place = entry + "section '" + name + "' ";
    Section section;
    section.form = read<std::uint32_t>(directory, at + 4);
    section.rows = read<std::uint64_t>(directory, at + 8);
    section.columns = read<std::uint64_t>(directory, at + 16);
    const auto offset = read<std::uint64_t>(directory, at + 24);
    const auto bytes = read<std::uint64_t>(directory, at + 32);
    if (bytes != expected_bytes(section.form, section.rows, section.columns, place))
      throw FileError(place + "has " + number(bytes) + " bytes, which its shape does not need.");
    if (offset != round_up(end, 64))
      throw FileError(place + "starts at byte " + number(offset) + ", not behind the one before.");
    if (offset > bytes_.size() || bytes > bytes_.size() - offset)
      throw FileError(place + "ends behind the end of the file.");
    for (std::size_t gap = end; gap < offset; ++gap)
      if (bytes_[gap] != std::byte(0)) throw FileError("byte " + number(gap) + ": is not zero.");
    section.bytes = bytes_.subspan(offset, bytes);
    if (read<std::uint64_t>(directory, at + 40) != checksum(section.bytes))
      throw FileError("byte " + number(offset) + ": section '" + name + "' is damaged.");
    if (!sections_.emplace(name, section).second) throw FileError(place + "occurs twice.");
    end = offset + bytes;
    at += kEntryBytes + name_bytes;
  }
  if (at != directory.size())
    throw FileError("byte " + number(start + at) + ": the directory has more than its sections.");
  if (end != bytes_.size())
    throw FileError("byte " + number(end) + ": the file goes on behind its last section.");
}

}  // namespace loquent
