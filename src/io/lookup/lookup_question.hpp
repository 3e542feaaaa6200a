// A question from within the program: a command with one reply, asked as a client would.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "io/lookup/lookup_commands.hpp"

namespace freshet {

class LookupQuestion final : public LookupSession, public LookupWaiter {
public:
    // Gets the reply in RESP2.
    using Reply = std::function<void(std::string)>;
    using Done = std::function<void(LookupQuestion&)>;

    // `done` is called once the reply has been handed over.
    LookupQuestion(LookupEngine& engine, Reply give, Done done)
        : engine_(engine), give_(std::move(give)), done_(std::move(done)) {}
    ~LookupQuestion() {
        if (request_) request_->waiter = nullptr;
    }

    void ask(LookupCommands& commands, Arguments command) {
        commands.execute(command, *this);
        if (!asked_) finish();
    }

private:
    std::string& reply() override { return reply_; }
    void enqueue(LookupRequest& request) override {
        asked_ = true;
        request_ = &request;
        request.waiter = this;
    }
    void quit() override {}
    void answered() override {
        reply_ = request_->body;
        engine_.give_back(*std::exchange(request_, nullptr));
        finish();
    }
    void finish() {
        give_(std::move(reply_));
        done_(*this);
    }

    LookupEngine& engine_;
    const Reply give_;
    const Done done_;
    std::string reply_;
    bool asked_ = false;                // Redis, perhaps
    LookupRequest* request_ = nullptr;  // while it is under way
};

}  // namespace freshet
