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

/** Half a cache line. `place`: 40 bits offset in the input, 24 bits length. A length of 0: free. */
struct alignas(32) Entry {
  uint64_t head[2];
  uint64_t place;
  uint64_t sum;
  uint64_t offset() const { return place >> 24; }
  uint64_t length() const { return place & 0xffffff; }
};

/** By length: ones where the first bytes of a key are. */
struct Masks {
  uint64_t of[17][2];
  constexpr Masks() : of() {
    for (int length = 0; length <= 16; length++)
      for (int byte = 0; byte < length; byte++) of[length][byte / 8] |= uint64_t{255} << byte % 8 * 8;
  }
  constexpr const uint64_t* operator[](uint64_t length) const { return of[length]; }
};
static constexpr Masks masks{};

class CountTable {
 public:
  explicit CountTable(Input input) : input_(input) { allocate(1 << 19); }

  /** `key` lies in the input and is not empty. */
  void add(const char* key, uint64_t length, uint64_t amount) {
    uint64_t head[2];
    load(key, length, head);
    Entry* entry = find(head, key, length);
    if (entry->place == 0) {
      if (length >> 24 != 0) fail("a key of more than 16 MiB");
      if (++used_ * 2 > mask_) {
        grow();
        entry = find(head, key, length);
      }
      *entry = {{head[0], head[1]}, static_cast<uint64_t>(key - input_.begin) << 24 | length, amount};
    } else {
      entry->sum += amount;
    }
  }

  void add_all(const CountTable& other) {
    for (uint64_t i = 0; i <= other.mask_; i++)
      if (other.entries_[i].place != 0) add(key_of(other.entries_[i]), other.entries_[i].length(), other.entries_[i].sum);
  }

  /** Writes `key TAB sum` lines in the byte order of the keys. */
  void write_sorted(const char* path) const {
    std::vector<const Entry*> sorted;
    sorted.reserve(used_);
    for (uint64_t i = 0; i <= mask_; i++)
      if (entries_[i].place != 0) sorted.push_back(&entries_[i]);
    std::sort(sorted.begin(), sorted.end(), [this](const Entry* a, const Entry* b) {
      const uint64_t x = __builtin_bswap64(a->head[0]), y = __builtin_bswap64(b->head[0]);
      if (x != y) return x < y;
      const int order = std::memcmp(key_of(*a), key_of(*b), std::min(a->length(), b->length()));
      return order != 0 ? order < 0 : a->length() < b->length();
    });
    FILE* out = std::fopen(path, "wb");
    if (out == nullptr) fail(std::string("cannot write ") + path);
    std::vector<char> buffer(1 << 20);
    std::setvbuf(out, buffer.data(), _IOFBF, buffer.size());
    for (const Entry* entry : sorted) {
      std::fwrite(key_of(*entry), 1, entry->length(), out);
      std::fprintf(out, "\t%llu\n", static_cast<unsigned long long>(entry->sum));
    }
    if (std::fclose(out) != 0) fail(std::string("cannot write ") + path);
  }

 private:
  Input input_;
  Entry* entries_ = nullptr;
  uint64_t mask_ = 0;
  uint64_t used_ = 0;

  const char* key_of(const Entry& entry) const { return input_.begin + entry.offset(); }

  void allocate(uint64_t entries) {
    const size_t bytes = entries * sizeof(Entry);
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("out of memory");
    madvise(memory, bytes, MADV_HUGEPAGE);
    entries_ = static_cast<Entry*>(memory);
    mask_ = entries - 1;
  }

  /** The first 16 bytes, zeros behind the key; without a branch on the length, which can't be predicted. */
  void load(const char* key, uint64_t length, uint64_t head[2]) const {
    if (__builtin_expect(key + 16 > input_.end, 0)) {
      head[0] = head[1] = 0;
      std::memcpy(head, key, std::min<uint64_t>(length, 16));
      return;
    }
    std::memcpy(head, key, 16);
    const uint64_t* mask = masks[std::min<uint64_t>(length, 16)];
    head[0] &= mask[0];
    head[1] &= mask[1];
  }

  Entry* find(const uint64_t head[2], const char* key, uint64_t length) {
    uint64_t hash = (head[0] ^ length) * 0x9e3779b97f4a7c15 ^ head[1] * 0xc2b2ae3d27d4eb4f;
    for (uint64_t i = 16; i < length; i++) hash = (hash ^ static_cast<unsigned char>(key[i])) * 0x100000001b3;
    for (uint64_t at = (hash ^ hash >> 32) & mask_;; at = (at + 1) & mask_) {
      Entry& entry = entries_[at];
      if (entry.place == 0) return &entry;
      if (entry.head[0] == head[0] && entry.head[1] == head[1] && entry.length() == length &&
          (length <= 16 || std::memcmp(key_of(entry) + 16, key + 16, length - 16) == 0))
        return &entry;
    }
  }

  void grow() {
    Entry* old = entries_;
    const uint64_t last = mask_;
    allocate((last + 1) * 2);
    for (uint64_t i = 0; i <= last; i++)
      if (old[i].place != 0) *find(old[i].head, key_of(old[i]), old[i].length()) = old[i];
    munmap(old, (last + 1) * sizeof(Entry));
  }
};
