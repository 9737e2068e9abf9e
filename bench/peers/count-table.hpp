// A hash table from byte strings to sums, for the programs that say how fast this machine can do a job at all: open addressing, the
// first 16 bytes of a key inline, the rest in the input, which stays mapped.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

struct Input {
  const char* begin = nullptr;
  const char* end = nullptr;
};

[[noreturn]] inline void fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

inline Input map_file(const char* path) {
  const int fd = open(path, O_RDONLY);
  struct stat status;
  if (fd < 0 || fstat(fd, &status) != 0) fail(std::string("cannot read ") + path);
  if (status.st_size == 0) return {};
  void* bytes = mmap(nullptr, status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
  if (bytes == MAP_FAILED) fail(std::string("cannot map ") + path);
  close(fd);
  const char* begin = static_cast<const char*>(bytes);
  return {begin, begin + status.st_size};
}

struct Entry {
  uint64_t head[2];
  const char* key;
  uint64_t length;
  uint64_t sum;
};

class CountTable {
 public:
  /** `limit`: end of the mapped input, behind which nothing may be read. */
  explicit CountTable(const char* limit) : limit_(limit), entries_(1 << 17), mask_(entries_.size() - 1) {}

  void add(const char* key, uint64_t length, uint64_t amount) {
    uint64_t head[2];
    load(key, length, head);
    Entry* entry = find(head, key, length);
    if (entry->key == nullptr) {
      if (++used_ * 2 > entries_.size()) {
        grow();
        entry = find(head, key, length);
      }
      *entry = {{head[0], head[1]}, key, length, amount};
    } else {
      entry->sum += amount;
    }
  }

  void add_all(const CountTable& other) {
    for (const Entry& entry : other.entries_)
      if (entry.key != nullptr) add(entry.key, entry.length, entry.sum);
  }

  /** Writes `key TAB sum` lines in the byte order of the keys. */
  void write_sorted(const char* path) const {
    std::vector<const Entry*> sorted;
    sorted.reserve(used_);
    for (const Entry& entry : entries_)
      if (entry.key != nullptr) sorted.push_back(&entry);
    std::sort(sorted.begin(), sorted.end(), [](const Entry* a, const Entry* b) {
      const uint64_t x = __builtin_bswap64(a->head[0]), y = __builtin_bswap64(b->head[0]);
      if (x != y) return x < y;
      const int order = std::memcmp(a->key, b->key, std::min(a->length, b->length));
      return order != 0 ? order < 0 : a->length < b->length;
    });
    FILE* out = std::fopen(path, "wb");
    if (out == nullptr) fail(std::string("cannot write ") + path);
    std::vector<char> buffer(1 << 20);
    std::setvbuf(out, buffer.data(), _IOFBF, buffer.size());
    for (const Entry* entry : sorted) {
      std::fwrite(entry->key, 1, entry->length, out);
      std::fprintf(out, "\t%llu\n", static_cast<unsigned long long>(entry->sum));
    }
    if (std::fclose(out) != 0) fail(std::string("cannot write ") + path);
  }

 private:
  const char* limit_;
  std::vector<Entry> entries_;
  uint64_t mask_;
  uint64_t used_ = 0;

  /** The first 16 bytes, zeros behind the key. */
  void load(const char* key, uint64_t length, uint64_t head[2]) const {
    if (__builtin_expect(key + 16 > limit_, 0)) {
      head[0] = head[1] = 0;
      std::memcpy(head, key, std::min<uint64_t>(length, 16));
      return;
    }
    std::memcpy(head, key, 16);
    if (length < 8) {
      head[0] &= (uint64_t{1} << (length * 8)) - 1;
      head[1] = 0;
    } else if (length < 16) {
      head[1] &= (uint64_t{1} << ((length - 8) * 8)) - 1;
    }
  }

  Entry* find(const uint64_t head[2], const char* key, uint64_t length) {
    uint64_t hash = (head[0] ^ length) * 0x9e3779b97f4a7c15 ^ head[1] * 0xc2b2ae3d27d4eb4f;
    for (uint64_t i = 16; i < length; i++) hash = (hash ^ static_cast<unsigned char>(key[i])) * 0x100000001b3;
    for (uint64_t at = (hash ^ hash >> 32) & mask_;; at = (at + 1) & mask_) {
      Entry& entry = entries_[at];
      if (entry.key == nullptr) return &entry;
      if (entry.head[0] == head[0] && entry.head[1] == head[1] && entry.length == length &&
          (length <= 16 || std::memcmp(entry.key + 16, key + 16, length - 16) == 0))
        return &entry;
    }
  }

  void grow() {
    std::vector<Entry> old(entries_.size() * 2);
    old.swap(entries_);
    mask_ = entries_.size() - 1;
    for (const Entry& entry : old)
      if (entry.key != nullptr) *find(entry.head, entry.key, entry.length) = entry;
  }
};
