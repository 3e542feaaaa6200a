"""An actor for each entity against eight actors that hold many (docs/decisions/0001)."""


def run(bench):
    with bench:
        program = bench.program("actor_granularity")
        right = True

        def measure(mode, entities, batch):
            nonlocal right
            events = 4_000_000 if mode == "entities" else 20_000_000
            if bench.quick:
                events //= 4
            result = bench.json_of([program, "--json", "--mode", mode, "--entities", str(entities), "--batch",
                                    str(batch), "--events", str(events), "--limit", "20"])
            right = right and result["oracle"] == "equal"
            sizes.setdefault((mode, entities, batch), []).append(result["bytes_an_entity"])
            return result

        sizes = {}
        for entities in (100_000, 1_000_000):
            for batch in (64, 1024):
                bench.compare([(f"{entities:,} entities, 8 actors, batches of {batch}", "events/s", "events_per_s")],
                              lambda: measure("batches", entities, batch), lambda: measure("entities", entities, 1),
                              "an actor an entity")
        for (mode, entities, batch), found in sizes.items():
            label = "an actor each" if mode == "entities" else f"8 actors, batches of {batch}"
            bench.row(f"{entities:,} entities, {label}", "B/entity", sorted(found)[len(found) // 2])
        return bench.finish("equal" if right else "DIFFERENT")
