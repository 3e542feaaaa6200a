#include "io/redis/redis_replies.hpp"

#include <hiredis/read.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <string>

namespace freshet {

namespace {

constexpr std::size_t kBlock = 64 * 1024;
constexpr std::size_t kKeptBuffer = 1 << 20;

// The reply that `task` fills: a new one, or its place in the array around it.
RedisAnswer* place_of(const redisReadTask* task) {
    auto& arena = *static_cast<ReplyArena*>(task->privdata);
    if (!task->parent) {
        arena.clear();
        return arena.replies(1);
    }
    const auto* parent = static_cast<const RedisAnswer*>(task->parent->obj);
    return const_cast<RedisAnswer*>(&parent->elements[static_cast<std::size_t>(task->idx)]);
}

void* create_string(const redisReadTask* task, char* text, std::size_t size) {
    RedisAnswer* reply = place_of(task);
    switch (task->type) {
        case REDIS_REPLY_ERROR:
            reply->kind = RedisAnswer::Kind::error;
            break;
        case REDIS_REPLY_STATUS:
            reply->kind = RedisAnswer::Kind::status;
            break;
        default:
            reply->kind = RedisAnswer::Kind::string;
    }
    reply->text = static_cast<ReplyArena*>(task->privdata)->copy({text, size});
    return reply;
}

void* create_array(const redisReadTask* task, int elements) {
    RedisAnswer* reply = place_of(task);
    const auto count = static_cast<std::size_t>(elements);
    reply->kind = RedisAnswer::Kind::array;
    reply->elements = {static_cast<ReplyArena*>(task->privdata)->replies(count), count};
    return reply;
}

void* create_integer(const redisReadTask* task, long long number) {
    RedisAnswer* reply = place_of(task);
    reply->kind = RedisAnswer::Kind::integer;
    reply->integer = number;
    return reply;
}

void* create_nil(const redisReadTask* task) { return place_of(task); }

void free_nothing(void*) {}

redisReplyObjectFunctions functions{create_string, create_array, create_integer, create_nil, free_nothing};

}  // namespace

std::byte* ReplyArena::allocate(std::size_t bytes) {
    bytes = (bytes + alignof(RedisAnswer) - 1) / alignof(RedisAnswer) * alignof(RedisAnswer);
    while (block_ < blocks_.size() && blocks_[block_].size - used_ < bytes) {
        ++block_;
        used_ = 0;
    }
    if (block_ == blocks_.size()) {
        const std::size_t size = std::max(kBlock, bytes);
        blocks_.push_back({std::make_unique_for_overwrite<std::byte[]>(size), size});
    }
    std::byte* const place = blocks_[block_].memory.get() + used_;
    used_ += bytes;
    return place;
}

RedisAnswer* ReplyArena::replies(std::size_t count) {
    auto* first = reinterpret_cast<RedisAnswer*>(allocate(count * sizeof(RedisAnswer)));
    for (std::size_t i = 0; i < count; ++i) new (first + i) RedisAnswer;
    return first;
}

std::string_view ReplyArena::copy(std::string_view text) {
    auto* place = reinterpret_cast<char*>(allocate(text.size()));
    std::memcpy(place, text.data(), text.size());
    return {place, text.size()};
}

void ReplyArena::clear() {
    if (blocks_.size() > 1) blocks_.resize(1);
    if (!blocks_.empty() && blocks_.front().size > kKeptBuffer) blocks_.clear();
    block_ = 0;
    used_ = 0;
}

RedisReplies::RedisReplies() { reset(); }

RedisReplies::~RedisReplies() {
    if (reader_) redisReaderFree(reader_);
}

void RedisReplies::reset() {
    if (reader_) redisReaderFree(reader_);
    reader_ = redisReaderCreateWithFunctions(&functions);
    if (!reader_) throw std::bad_alloc();
    reader_->privdata = &arena_;
    reader_->maxbuf = kKeptBuffer;
}

void RedisReplies::feed(std::span<const char> bytes) { redisReaderFeed(reader_, bytes.data(), bytes.size()); }

Result<const RedisAnswer*> RedisReplies::next() {
    void* reply = nullptr;
    if (redisReaderGetReply(reader_, &reply) != REDIS_OK)
        return Error{Errc::corrupt, std::string("redis does not speak its protocol: ") + reader_->errstr};
    return static_cast<const RedisAnswer*>(reply);
}

}  // namespace freshet
