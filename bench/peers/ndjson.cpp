// What this machine can do at most: bytes per URL of flat JSON objects, one a line, by two threads in mapped memory. Fields are found by
// name in any order; a string with an escape is refused rather than read wrong.
//   g++ -std=c++17 -O3 -march=native -pthread ndjson.cpp && ./a.out INPUT OUTPUT
#include "count-table.hpp"
#include <atomic>
#include <thread>

static constexpr size_t piece_bytes = 4 << 20;

struct Text {
  const char* begin;
  size_t length;
  bool is(const char* word, size_t bytes) const { return length == bytes && std::memcmp(begin, word, bytes) == 0; }
};

/** The string whose first quote is at `at`, which moves behind its last. */
static Text string_at(const char*& at, const char* end) {
  const char* begin = ++at;
  while (at < end && *at != '"') {
    if (*at == '\\' || *at == '\n') fail("a string with an escape or without an end");
    at++;
  }
  return {begin, static_cast<size_t>(at++ - begin)};
}

static void expect(const char*& at, const char* end, char c) {
  if (at >= end || *at++ != c) fail(std::string("expected ") + c);
}

/** One object and its line end; returns where the next begins. */
static const char* object(CountTable& table, const char* at, const char* end) {
  Text url{nullptr, 0};
  uint64_t bytes = 0;
  expect(at, end, '{');
  for (;;) {
    if (at >= end || *at != '"') fail("expected a field");
    const Text name = string_at(at, end);
    expect(at, end, ':');
    if (at < end && *at == '"') {
      const Text value = string_at(at, end);
      if (name.is("url", 3)) url = value;
    } else {
      uint64_t value = 0;
      const char* first = at;
      for (; at < end && *at >= '0' && *at <= '9'; at++) value = value * 10 + (*at - '0');
      if (at == first) fail("expected a string or a whole number");
      if (name.is("bytes", 5)) bytes = value;
    }
    if (at < end && *at == ',') at++;
    else break;
  }
  expect(at, end, '}');
  if (at < end) expect(at, end, '\n');
  if (url.length == 0) fail("an object without url");
  table.add(url.begin, url.length, bytes);
  return at;
}

static const char* line_start(Input input, const char* at) {
  if (at <= input.begin) return input.begin;
  if (at >= input.end) return input.end;
  const void* feed = std::memchr(at - 1, '\n', input.end - at + 1);
  return feed == nullptr ? input.end : static_cast<const char*>(feed) + 1;
}

int main(int, char** arguments) {
  const Input input = map_file(arguments[1]);
  std::atomic<size_t> next{0};
  const size_t size = input.end - input.begin;
  CountTable tables[] = {CountTable(input), CountTable(input)};
  const auto work = [&](CountTable& table) {
    for (size_t from = next.fetch_add(piece_bytes); from < size; from = next.fetch_add(piece_bytes)) {
      const char* at = line_start(input, input.begin + from);
      const char* end = line_start(input, input.begin + std::min(from + piece_bytes, size));
      while (at < end) at = object(table, at, input.end);
    }
  };
  std::thread other([&] { work(tables[1]); });
  work(tables[0]);
  other.join();
  tables[0].add_all(tables[1]);
  tables[0].write_sorted(arguments[2]);
}
