// Memory that starts at a cache line, holds zeros at first and only ever grows.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "layout.hpp"

namespace loquent {

template <class T>
class Buffer {
 public:
  T* data() const { return data_.get(); }
  std::size_t size() const { return size_; }

  // Makes room for `size` elements; growing drops what was there.
  void reserve(std::size_t size) {
    if (size <= size_) return;
    const std::size_t bytes = round_up(size * sizeof(T), 64);
    data_.reset();
    size_ = 0;
    data_.reset(static_cast<T*>(std::aligned_alloc(64, bytes)));
    if (!data_) throw std::bad_alloc();
    std::memset(static_cast<void*>(data_.get()), 0, bytes);
    size_ = size;
  }

 private:
  struct Free {
    void operator()(T* data) const { std::free(data); }
  };
  std::unique_ptr<T[], Free> data_;
  std::size_t size_ = 0;
};

}  // namespace loquent
