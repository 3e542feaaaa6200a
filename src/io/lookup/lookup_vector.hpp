// FS.VECTOR: the features of a service for many rows. Each view of the service is read once for its distinct
// entities, like an FS.MGET; the rows are put together from that.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/lookup/lookup_query.hpp"
#include "io/redis/resp_writer.hpp"

namespace freshet {

struct LookupRequest;

// Its memory is used again from query to query.
struct VectorQuery {
    const ServedService* service = nullptr;
    std::size_t rows = 0;
    std::size_t entities = 0;              // distinct ones, over all parts
    std::optional<std::string> own_event;  // that of each part
    AnswerEncoding encoding = AnswerEncoding::resp;
    std::vector<LookupQuery> parts;        // one a part of the service, perhaps more behind them
    std::vector<std::uint32_t> entity_of;  // by part, then row: which entity of the part's query
    std::vector<std::size_t> cuts;         // scratch of write_vector()

    void clear();
};

// service [AT unix_ms] [META] [AFTER partition:offset WAIT ms] [WITH json] [ENCODING json|msgpack|protobuf]
// KEYS k name... ROWS n value...; `arguments` without the command's name.
std::optional<CommandError> parse_vector(Arguments arguments, const LookupCatalogue& catalogue,
                                         std::size_t max_entities, VectorQuery& vector);

// The reply to a request whose parts are all answered.
void write_vector(LookupRequest& request, RespWriter& out);

}  // namespace freshet
