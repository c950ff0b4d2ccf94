import GRDB

/// The tables of the JIT controller's database (paper §3.2.1, Figure 1): the resources and functions there are, with
/// their path metrics, and what is reserved of them. Numbers are SQLite integers: bit/s, nanoseconds, parts per
/// billion, nanoseconds since 1970.
enum ControllerSchema {
  static func register(in migrator: inout DatabaseMigrator) {
    migrator.registerMigration("2: resources and slices") { database in
      try database.execute(
        sql: """
          CREATE TABLE substrate (
            fingerprint BLOB NOT NULL
          ) STRICT;

          CREATE TABLE node (
            number INTEGER PRIMARY KEY NOT NULL,
            name TEXT NOT NULL UNIQUE,
            domain TEXT NOT NULL,
            attachment TEXT NOT NULL,
            compute_units INTEGER NOT NULL
          ) STRICT;

          CREATE TABLE function (
            node INTEGER NOT NULL REFERENCES node (number) ON DELETE CASCADE,
            kind TEXT NOT NULL,
            compute_units INTEGER NOT NULL,
            processing_delay INTEGER NOT NULL,
            cost INTEGER NOT NULL,
            PRIMARY KEY (node, kind)
          ) STRICT, WITHOUT ROWID;

          CREATE TABLE link (
            number INTEGER PRIMARY KEY NOT NULL,
            from_node INTEGER NOT NULL REFERENCES node (number) ON DELETE CASCADE,
            to_node INTEGER NOT NULL REFERENCES node (number) ON DELETE CASCADE,
            domain TEXT NOT NULL,
            forward_capacity INTEGER NOT NULL,
            backward_capacity INTEGER NOT NULL,
            delay INTEGER NOT NULL,
            loss INTEGER NOT NULL,
            cost INTEGER NOT NULL
          ) STRICT;

          CREATE TABLE slice (
            id INTEGER PRIMARY KEY NOT NULL,
            activation BLOB NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('held', 'confirmed', 'released')),
            confirmation_expiry INTEGER NOT NULL,
            throughput_up INTEGER NOT NULL,
            throughput_down INTEGER NOT NULL,
            window_from INTEGER NOT NULL,
            window_to INTEGER NOT NULL,
            plan_hash BLOB NOT NULL,
            plan BLOB NOT NULL
          ) STRICT;

          CREATE INDEX slice_activation ON slice (activation);
          CREATE INDEX slice_plan_hash ON slice (plan_hash);
          CREATE INDEX slice_state ON slice (state, id);

          -- What a live slice takes: bit/s of one direction of a link, or compute units of a node.
          CREATE TABLE reservation (
            slice INTEGER NOT NULL REFERENCES slice (id) ON DELETE CASCADE,
            resource TEXT NOT NULL CHECK (resource IN ('forward', 'backward', 'compute')),
            number INTEGER NOT NULL,
            amount INTEGER NOT NULL,
            PRIMARY KEY (slice, resource, number)
          ) STRICT, WITHOUT ROWID;

          -- How far each domain's part of a slice is: its domain manager is asked, has it, is told to let go.
          CREATE TABLE sub_slice (
            slice INTEGER NOT NULL REFERENCES slice (id) ON DELETE CASCADE,
            domain TEXT NOT NULL CHECK (domain IN ('radio', 'transport', 'compute')),
            phase TEXT NOT NULL CHECK (phase IN ('ordered', 'allocated', 'releasing', 'released')),
            PRIMARY KEY (slice, domain)
          ) STRICT, WITHOUT ROWID;
          """)
    }
  }
}
