-- Made from sql/migrations/0004_extractions.sql by scripts/supabase.py. Change it there.
BEGIN;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
-- Extraction: the record shapes, each version of which never changes, and what was read by them.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE extraction_schemas (
    name       TEXT NOT NULL,
    version    INT NOT NULL,
    definition JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT extraction_schemas_pkey PRIMARY KEY (name, version)
);

CREATE TABLE extractions (
    id             UUID NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL,
    text           TEXT NOT NULL,
    schema_name    TEXT NOT NULL,
    schema_version INT NOT NULL,
    status         TEXT NOT NULL,
    fields         JSONB NOT NULL,
    evidence       JSONB NOT NULL,
    warnings       JSONB NOT NULL,
    failure        JSONB,
    provider       TEXT NOT NULL,
    model          TEXT NOT NULL,
    attempts       JSONB NOT NULL,
    fallbacks      JSONB NOT NULL,
    prompt_hash    TEXT NOT NULL,
    latency_s      DOUBLE PRECISION NOT NULL,
    cost_usd       NUMERIC(18, 9),
    CONSTRAINT extractions_pkey PRIMARY KEY (id),
    CONSTRAINT extractions_schema_fkey FOREIGN KEY (schema_name, schema_version)
        REFERENCES extraction_schemas (name, version),
    CONSTRAINT extractions_status_check
        CHECK (status IN ('valid', 'partial', 'refused', 'failed')),
    CONSTRAINT extractions_failure_check
        CHECK ((failure IS NULL) = (status IN ('valid', 'partial')))
);
CREATE INDEX extractions_schema_idx ON extractions (schema_name, schema_version);
CREATE INDEX extractions_created_at_idx ON extractions (created_at);

-- The built-in schemas are rows like all others, so that results can refer to them.
INSERT INTO extraction_schemas (name, version, definition) VALUES
('default', 1, $d${
  "description": "A message of a customer who orders something from a shop",
  "fields": [
    {
      "name": "field_1",
      "type": "string",
      "description": "Name of the person or company that places the order",
      "max_length": 120
    },
    {
      "name": "field_2",
      "type": "string",
      "description": "What is ordered, in the words of the text, without the number"
    },
    {
      "name": "field_3",
      "type": "integer",
      "description": "How many are ordered, as a whole number",
      "minimum": 1,
      "maximum": 1000000
    }
  ],
  "examples": [
    {
      "text": "Hello, we need 9 oak chairs please. Kind regards, Nina Hall",
      "record": {
        "field_1": "Nina Hall",
        "field_2": "oak chairs",
        "field_3": 9
      }
    },
    {
      "text": "URGENT - Baxter Ltd wants twenty rolls of tape!!",
      "record": {
        "field_1": "Baxter Ltd",
        "field_2": "rolls of tape",
        "field_3": 20
      }
    },
    {
      "text": "hi its omar, send 1 coffee grinder thx",
      "record": {
        "field_1": "omar",
        "field_2": "coffee grinder",
        "field_3": 1
      }
    },
    {
      "text": "Subject: order\nclient: Pine Clinic\nitem: latex gloves box\nqty: 45",
      "record": {
        "field_1": "Pine Clinic",
        "field_2": "latex gloves box",
        "field_3": 45
      }
    },
    {
      "text": "Good day, Sara Vogel from Vogel Interiors here - could you send us 14 linen curtains?",
      "record": {
        "field_1": "Sara Vogel",
        "field_2": "linen curtains",
        "field_3": 14
      }
    },
    {
      "text": "FWD: request from Ben Ortiz >> half a dozen garden hoses, leave at the shed",
      "record": {
        "field_1": "Ben Ortiz",
        "field_2": "garden hoses",
        "field_3": 6
      }
    },
    {
      "text": "please ship 120 envelopes asap\n--\nLena Fox\nFox & Co",
      "record": {
        "field_1": "Lena Fox",
        "field_2": "envelopes",
        "field_3": 120
      }
    },
    {
      "text": "Offer 310 accepted. Deliver 3 heat pumps to Alpine Hotel.",
      "record": {
        "field_1": "Alpine Hotel",
        "field_2": "heat pumps",
        "field_3": 3
      }
    }
  ]
}$d$),
('order_message', 1, $d${
  "description": "A message of a customer who orders something from a shop",
  "fields": [
    {
      "name": "customer",
      "type": "string",
      "description": "Name of the person or company that places the order",
      "max_length": 120
    },
    {
      "name": "product",
      "type": "string",
      "description": "What is ordered, in the words of the text, without the number"
    },
    {
      "name": "quantity",
      "type": "integer",
      "description": "How many are ordered, as a whole number",
      "minimum": 1,
      "maximum": 1000000
    }
  ],
  "examples": [
    {
      "text": "Hello, we need 9 oak chairs please. Kind regards, Nina Hall",
      "record": {
        "customer": "Nina Hall",
        "product": "oak chairs",
        "quantity": 9
      }
    },
    {
      "text": "URGENT - Baxter Ltd wants twenty rolls of tape!!",
      "record": {
        "customer": "Baxter Ltd",
        "product": "rolls of tape",
        "quantity": 20
      }
    },
    {
      "text": "hi its omar, send 1 coffee grinder thx",
      "record": {
        "customer": "omar",
        "product": "coffee grinder",
        "quantity": 1
      }
    },
    {
      "text": "Subject: order\nclient: Pine Clinic\nitem: latex gloves box\nqty: 45",
      "record": {
        "customer": "Pine Clinic",
        "product": "latex gloves box",
        "quantity": 45
      }
    },
    {
      "text": "Good day, Sara Vogel from Vogel Interiors here - could you send us 14 linen curtains?",
      "record": {
        "customer": "Sara Vogel",
        "product": "linen curtains",
        "quantity": 14
      }
    },
    {
      "text": "FWD: request from Ben Ortiz >> half a dozen garden hoses, leave at the shed",
      "record": {
        "customer": "Ben Ortiz",
        "product": "garden hoses",
        "quantity": 6
      }
    },
    {
      "text": "please ship 120 envelopes asap\n--\nLena Fox\nFox & Co",
      "record": {
        "customer": "Lena Fox",
        "product": "envelopes",
        "quantity": 120
      }
    },
    {
      "text": "Offer 310 accepted. Deliver 3 heat pumps to Alpine Hotel.",
      "record": {
        "customer": "Alpine Hotel",
        "product": "heat pumps",
        "quantity": 3
      }
    }
  ]
}$d$);
INSERT INTO schema_migrations (name, checksum)
VALUES ('0004_extractions', 'be601f18e008b7aeddbef233df095d8c32719858dcf85d24da50e816ccbf4922');
COMMIT;
