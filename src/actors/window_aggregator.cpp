#include "actors/window_aggregator.hpp"

#include "actors/watchdog.hpp"
#include "io/metrics.hpp"
#include "io/stored/flush_builder.hpp"

namespace freshet {

namespace {

class WindowAggregator : public AggregatorActor::base {
public:
    WindowAggregator(caf::actor_config& config, AggregatorSpec spec, ConsumerActor consumer, WriterActor writer,
                     Metrics& metrics, Watchdog& watchdog)
        : AggregatorActor::base(config),
          spec_(std::move(spec)),
          consumer_(std::move(consumer)),
          writer_(std::move(writer)),
          metrics_(metrics),
          table_(spec_.source->views, spec_.partition.id, spec_.generation, spec_.start),
          builder_(spec_.source->source, spec_.source->views, spec_.partition.id, spec_.generation),
          memory_(spec_.memory),
          reported_{spec_.epoch, spec_.index, spec_.start, spec_.start, {}, 0},
          post_(watchdog.post("aggregator of " + spec_.partition.text())) {
        for (std::uint32_t v = 0; v < spec_.layouts.size(); ++v) builder_.learn(v, spec_.layouts[v]);
    }

    const char* name() const override { return "window_aggregator"; }

protected:
    behavior_type make_behavior() override {
        return {
            [this](const BatchReady& ready) {
                if (ready.epoch == spec_.epoch) apply(ready.batch);
            },
            [this](KeepToMemory) { keep_to_memory(); },
            [this](const Loaded& loaded) {
                if (loaded.epoch == spec_.epoch) take_loaded(*loaded.result);
            },
            [this](const Flushed& flushed) {
                if (flushed.epoch == spec_.epoch) take_flushed(flushed.result);
            },
        };
    }

    void on_exit() override {
        consumer_ = nullptr;
        writer_ = nullptr;
    }

private:
    void apply(const Shared<EventBatch>& batch) {
        const auto busy = post_->busy();
        table_.apply(batch, batch->touches[spec_.index]);
        if (batch->read) read_ = {read_ ? read_->first : batch->read->first, batch->read->last};
        go_on();
    }

    void take_loaded(const Result<std::vector<LoadedPartial>>& result) {
        if (!result) return fail(result.error());
        const auto busy = post_->busy();
        for (std::size_t i = 0; i < loading_.size(); ++i) {
            auto head = builder_.decode(loading_[i].view, (*result)[i]);
            if (!head) return fail(head.error().within("stored value of entity \"" + loading_[i].name + "\""));
            table_.loaded(loading_[i], std::move(*head));
        }
        metrics_.loaded(loading_.size());
        loading_.clear();
        go_on();
    }

    void take_flushed(const Result<void>& result) {
        if (!result) return fail(result.error());
        metrics_.flushed(flush_entities_, flush_bytes_, std::chrono::steady_clock::now() - flush_began_);
        table_.flushed();
        flush_bytes_ = 0;
        go_on();
    }

    void go_on() {
        if (loading_.empty()) load();
        const auto now = std::chrono::steady_clock::now();
        if (table_.flush_due(hold(), now)) flush(now);
        keep_to_memory();
        report();
    }

    // Only what is stored can be forgotten: short of memory, nothing waits for more events.
    std::int64_t hold() const { return memory_.budget().to_free(memory_.bytes()) > 0 ? 0 : spec_.hold_events; }

    void keep_to_memory() {
        memory_.set(table_.memory_bytes() + flush_bytes_);
        if (const std::size_t bytes = memory_.budget().to_free(memory_.bytes()); bytes > 0) {
            metrics_.evicted(table_.evict(bytes));
            memory_.set(table_.memory_bytes() + flush_bytes_);
        }
        metrics_.memory_used(memory_.budget().used());
    }

    void load() {
        loading_ = table_.take_loads();
        if (loading_.empty()) return;
        auto keys = std::make_shared<std::vector<PartialKey>>();
        for (const EntityKey& key : loading_) keys->push_back(builder_.key_of(key.view, key.name));
        send(writer_, LoadRequest{spec_.partition, spec_.epoch, std::move(keys), spec_.seat->gives_way()});
    }

    void flush(std::chrono::steady_clock::time_point now) {
        flush_began_ = now;
        flush_entities_ =
            table_.take_flush([this](std::uint32_t view, const std::string& name, EntityWindows& windows) {
                builder_.add(view, name, windows, table_.recorded_clock());
            });
        flush_bytes_ = builder_.bytes();
        auto calls = std::make_shared<std::vector<WriteCall>>(builder_.take());
        for (WriteCall& call : *calls) call.read = read_;
        send(writer_, FlushRequest{spec_.partition, spec_.epoch, std::move(calls), spec_.seat->gives_way()});
    }

    void report() {
        const AggregatorProgress now{spec_.epoch,      spec_.index,     table_.safe(),
                                     table_.counted(), table_.counts(), table_.size()};
        if (now.safe == reported_.safe && now.counted == reported_.counted) return;
        reported_ = now;
        send(consumer_, now);
    }

    void fail(const Error& error) {
        send(consumer_, AggregatorFailed{spec_.epoch, error});
        quit();
    }

    const AggregatorSpec spec_;
    ConsumerActor consumer_;
    WriterActor writer_;
    Metrics& metrics_;
    EntityTable table_;
    FlushBuilder builder_;
    std::vector<EntityKey> loading_;
    MemoryBudget::Share memory_;
    AggregatorProgress reported_;
    std::optional<MarkedSpan> read_;  // in this life
    std::chrono::steady_clock::time_point flush_began_;
    std::size_t flush_entities_ = 0;
    std::size_t flush_bytes_ = 0;  // of the one that is away
    std::shared_ptr<Watchdog::Post> post_;
};

}  // namespace

AggregatorActor spawn_aggregator(caf::actor_system& system, AggregatorSpec spec, ConsumerActor consumer,
                                 WriterActor writer, Metrics& metrics, Watchdog& watchdog) {
    return system.spawn<WindowAggregator>(std::move(spec), std::move(consumer), std::move(writer),
                                          std::ref(metrics), std::ref(watchdog));
}

}  // namespace freshet
