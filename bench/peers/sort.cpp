// What this machine can do at most: sorts the lines of a file in memory by two threads. Prefixes of 8 bytes are spread over buckets by
// sampled splitters, so that each bucket is sorted within the cache; then lines are gathered and written at their place.
//   g++ -std=c++17 -O3 -march=native -pthread sort.cpp && ./a.out INPUT OUTPUT
#include "count-table.hpp"
#include <atomic>
#include <thread>

static constexpr unsigned buckets = 2048;
static constexpr size_t samples = buckets * 32;
static constexpr uint64_t length_max = (1 << 24) - 1;

struct Line {
  uint64_t prefix;
  uint64_t at : 40;
  uint64_t length : 24;
};

static Input input;

static Line line_at(const char* begin, const char* end) {
  const uint64_t length = end - begin;
  if (length > length_max) fail("a line of more than 16 MiB");
  uint64_t prefix = 0;
  std::memcpy(&prefix, begin, std::min<uint64_t>(length, 8));
  return {__builtin_bswap64(prefix), static_cast<uint64_t>(begin - input.begin), length};
}

static bool before(const Line& a, const Line& b) {
  if (a.prefix != b.prefix) return a.prefix < b.prefix;
  const int order = std::memcmp(input.begin + a.at, input.begin + b.at, std::min<uint64_t>(a.length, b.length));
  return order != 0 ? order < 0 : a.length < b.length;
}

template <class Work>
static void both(Work work) {
  std::thread other([&] { work(1); });
  work(0);
  other.join();
}

int main(int, char** arguments) {
  input = map_file(arguments[1]);
  const size_t size = input.end - input.begin;
  const char* middle = input.begin + size / 2;
  while (middle > input.begin && middle < input.end && middle[-1] != '\n') middle++;

  std::vector<Line> lines[2];
  both([&](int half) {
    const char* at = half == 0 ? input.begin : middle;
    const char* end = half == 0 ? middle : input.end;
    lines[half].reserve((end - at) / 64);
    while (at < end) {
      const char* feed = static_cast<const char*>(std::memchr(at, '\n', end - at));
      const char* stop = feed == nullptr ? end : feed;
      lines[half].push_back(line_at(at, stop));
      at = stop + 1;
    }
  });

  const size_t total = lines[0].size() + lines[1].size();
  const auto line = [&](size_t i) -> const Line& { return i < lines[0].size() ? lines[0][i] : lines[1][i - lines[0].size()]; };
  std::vector<uint64_t> sample;
  for (size_t i = 0; i < std::min(samples, total); i++) sample.push_back(line(i * total / std::min(samples, total)).prefix);
  std::sort(sample.begin(), sample.end());
  std::vector<uint64_t> splitters(buckets, UINT64_MAX);
  for (unsigned i = 1; i < buckets && !sample.empty(); i++) splitters[i - 1] = sample[sample.size() * i / buckets];

  std::vector<uint16_t> bucket_of[2];
  std::vector<size_t> count[2], bytes[2];
  both([&](int half) {
    bucket_of[half].resize(lines[half].size());
    count[half].assign(buckets, 0);
    bytes[half].assign(buckets, 0);
    for (size_t i = 0; i < lines[half].size(); i++) {
      // Splitters at or before the prefix, by bisection without branches.
      unsigned bucket = 0;
      for (unsigned step = buckets / 2; step > 0; step /= 2) bucket += lines[half][i].prefix >= splitters[bucket + step - 1] ? step : 0;
      bucket_of[half][i] = bucket;
      count[half][bucket]++;
      bytes[half][bucket] += lines[half][i].length + 1;
    }
  });

  std::vector<size_t> first(buckets + 1), offset(buckets + 1), place[2];
  place[0].resize(buckets);
  place[1].resize(buckets);
  for (unsigned b = 0; b < buckets; b++) {
    place[0][b] = first[b];
    place[1][b] = first[b] + count[0][b];
    first[b + 1] = first[b] + count[0][b] + count[1][b];
    offset[b + 1] = offset[b] + bytes[0][b] + bytes[1][b];
  }
  std::vector<Line> sorted(total);
  both([&](int half) {
    for (size_t i = 0; i < lines[half].size(); i++) sorted[place[half][bucket_of[half][i]]++] = lines[half][i];
  });

  const int out = open(arguments[2], O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (out < 0) fail(std::string("cannot write ") + arguments[2]);
  std::atomic<unsigned> next{0};
  both([&](int) {
    std::vector<char> buffer;
    for (unsigned b = next++; b < buckets; b = next++) {
      const auto begin = sorted.begin() + first[b], end = sorted.begin() + first[b + 1];
      std::sort(begin, end, before);
      buffer.resize(offset[b + 1] - offset[b]);
      char* to = buffer.data();
      for (auto one = begin; one != end; ++one) {
        if (end - one > 16) {
          __builtin_prefetch(input.begin + one[16].at);
          __builtin_prefetch(input.begin + one[16].at + 64);
        }
        std::memcpy(to, input.begin + one->at, one->length);
        to += one->length;
        *to++ = '\n';
      }
      for (size_t written = 0; written < buffer.size();) {
        const ssize_t n = pwrite(out, buffer.data() + written, buffer.size() - written, offset[b] + written);
        if (n <= 0) fail(std::string("cannot write ") + arguments[2]);
        written += n;
      }
    }
  });
  if (close(out) != 0) fail(std::string("cannot write ") + arguments[2]);
}
