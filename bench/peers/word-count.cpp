// What this machine can do at most: words between spaces and line ends, counted by two threads in mapped memory.
//   g++ -std=c++17 -O3 -march=native -pthread word-count.cpp && ./a.out INPUT OUTPUT
#include "count-table.hpp"
#include <atomic>
#include <thread>
#ifdef __AVX2__
#include <immintrin.h>
#endif

static constexpr size_t piece_bytes = 4 << 20;

static bool separates(char c) { return static_cast<unsigned char>(c) <= ' '; }

/** Counts the words that begin in [begin, end), which may end behind it. */
static void count(CountTable& table, Input input, const char* begin, const char* end) {
  // A word that goes on from the piece before is that piece's.
  if (begin > input.begin)
    while (begin < end && !separates(begin[-1])) begin++;
  const char* word = begin;
  const char* at = begin;
#ifdef __AVX2__
  const __m256i space = _mm256_set1_epi8(' ');
  for (; at + 32 <= end; at += 32) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    uint32_t mask = _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(bytes, space), bytes));
    for (; mask != 0; mask &= mask - 1) {
      const char* separator = at + __builtin_ctz(mask);
      if (separator > word) table.add(word, separator - word, 1);
      word = separator + 1;
    }
  }
#endif
  for (; at < end; at++) {
    if (!separates(*at)) continue;
    if (at > word) table.add(word, at - word, 1);
    word = at + 1;
  }
  if (word >= end) return;
  while (at < input.end && !separates(*at)) at++;
  table.add(word, at - word, 1);
}

int main(int, char** arguments) {
  const Input input = map_file(arguments[1]);
  std::atomic<size_t> next{0};
  const size_t size = input.end - input.begin;
  CountTable tables[] = {CountTable(input), CountTable(input)};
  const auto work = [&](CountTable& table) {
    for (size_t from = next.fetch_add(piece_bytes); from < size; from = next.fetch_add(piece_bytes))
      count(table, input, input.begin + from, input.begin + std::min(from + piece_bytes, size));
  };
  std::thread other([&] { work(tables[1]); });
  work(tables[0]);
  other.join();
  tables[0].add_all(tables[1]);
  tables[0].write_sorted(arguments[2]);
}
