// What LookupEngine does with stored values that do not decode.
#include <utility>

#include "io/lookup/lookup_engine.hpp"
#include "io/stored/store_keys.hpp"

namespace freshet {

namespace {

constexpr int kMostRereads = 3;  // to read what may be of a layout that was not known

}  // namespace

// What does not decode may be stored in a layout that was recorded since this node read the records.
bool LookupEngine::may_be_of_new_layout(LookupRequest& request, std::size_t row) {
    if (request.attempts >= kMostRereads) return false;
    request.rows[row].store->progress.want_layouts(request.query.view->topic);
    return request.read_again = true;
}

void LookupEngine::corrupt_head(LookupRequest& request, std::size_t row, const Error& error) {
    if (may_be_of_new_layout(request, row)) return;
    request.corrupt = readers_[request.query.view->index]->corrupt().index;
    request.body = error.message;
    send_names(request, row);
}

void LookupEngine::corrupt_sealed(LookupRequest& request, std::size_t row, const RedisAnswer& both,
                                  const Error& error) {
    if (may_be_of_new_layout(request, row)) return;
    const std::size_t index = readers_[request.query.view->index]->corrupt().index;
    corrupt(request, head_key(request, row) + std::string(kSealedSuffix),
            both.elements[1].elements[2 * index].text, error);
}

void LookupEngine::name_corrupt_head(LookupRequest& request, std::size_t row, const RedisAnswer& fields) {
    const std::size_t index = *request.corrupt;
    const bool known = index < fields.elements.size();
    const std::string message = std::exchange(request.body, {});
    corrupt(request, head_key(request, row), known ? fields.elements[index].text : "?",
            Error{Errc::corrupt, message});
}

void LookupEngine::corrupt(LookupRequest& request, std::string_view key, std::string_view field,
                           const Error& error) {
    fail(request, "ERR",
         "corrupt value in field '" + shown(field) + "' of key '" + shown(key) + "': " + error.message);
}

}  // namespace freshet
