// Result<T>: a value, or an Error that says what failed and how to mend it.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace freshet {

// What kind of thing went wrong; a caller branches on this, a person reads the message.
enum class Errc {
    invalid_argument = 1,  // the caller's input is wrong; repeating it will not help
    corrupt,               // stored or received bytes do not decode
    not_found,             // the named thing does not exist
    unavailable,           // a service is out of reach or busy; may be repeated
    fenced,                // another owner holds the partition
    lost_writes,           // a primary forgot writes it had acknowledged
    refused,               // a service's configuration makes it unsafe to go on
};

// `message` is lower case, names the place and the mend, and carries no trailing period.
struct [[nodiscard]] Error {
    Errc code;
    std::string message;

    // The same error with `where` in front: context is added on the way up.
    Error within(const std::string& where) const { return {code, where + ": " + message}; }
};

template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::move(value)) {}
    Result(Error error) : state_(std::move(error)) {}

    explicit operator bool() const { return std::holds_alternative<T>(state_); }
    T& operator*() & { return std::get<T>(state_); }
    const T& operator*() const& { return std::get<T>(state_); }
    T&& operator*() && { return std::get<T>(std::move(state_)); }
    T* operator->() { return &std::get<T>(state_); }
    const T* operator->() const { return &std::get<T>(state_); }
    const Error& error() const { return std::get<Error>(state_); }

private:
    std::variant<T, Error> state_;
};

// Success without a value, or an Error.
template <>
class [[nodiscard]] Result<void> {
public:
    Result() = default;
    Result(Error error) : error_(std::move(error)) {}

    explicit operator bool() const { return !error_; }
    const Error& error() const { return *error_; }

private:
    std::optional<Error> error_;
};

}  // namespace freshet
