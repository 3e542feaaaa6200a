// In which order the writer sends what is queued.
#include "ingest_fixture.hpp"

namespace freshet::test {
namespace {

class WriterFixture {
public:
    WriterFixture() : system_(config_) {
        writer_ =
            spawn_writer(system_, std::make_unique<MemoryPartialStore>(server_), metrics_, Thread::shared);
    }
    ~WriterFixture() {
        caf::anon_send_exit(caf::actor_cast<caf::actor>(writer_), caf::exit_reason::kill);
        writer_ = nullptr;
        scheduler().run();
    }

    caf::scheduler::test_coordinator& scheduler() {
        return dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler());
    }

    std::shared_ptr<MemoryServer> server_ = std::make_shared<MemoryServer>();
    TestActorConfig config_;
    caf::actor_system system_;
    Metrics metrics_;
    WriterActor writer_;
};

TEST_CASE_FIXTURE(WriterFixture, "what gives way is stored behind what does not, though it was there before") {
    caf::scoped_actor self(system_);
    // Nobody took an epoch, so each is answered as of a life that is over; `epoch` tells which it was.
    const auto flush = [&](std::uint64_t number, bool gives_way) {
        self->send(writer_, FlushRequest{{"orders", PartitionId{0}},
                                         Epoch{number},
                                         std::make_shared<std::vector<WriteCall>>(),
                                         gives_way});
    };
    flush(1, true);
    flush(2, true);
    flush(3, false);
    scheduler().run();
    std::vector<std::uint64_t> answered;
    while (self->has_next_message())
        self->receive([&](const Flushed& flushed) { answered.push_back(flushed.epoch.value); });
    CHECK(answered == std::vector<std::uint64_t>{3, 1, 2});
}

}  // namespace
}  // namespace freshet::test
