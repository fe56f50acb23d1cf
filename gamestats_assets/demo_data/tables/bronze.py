"""Bronze: the contents of log files, and the configuration of products."""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.apis.thinkingdata import TRACK_TYPES, USER_TYPES
from gamestats_assets.demo_data.tables.rows import (
    BY_DAY,
    BY_PRODUCT,
    LANDED,
    PRODUCT,
    ProductDayRow,
    ProductRow,
    count,
    nullable_text,
    utc,
)
from gamestats_assets.lakehouse.table import Table

EVENT_TYPES = TRACK_TYPES
"""`#type` of records that become rows of `Events`."""
OPERATIONS = USER_TYPES
"""`#type` of records that become rows of `UserOperations`."""
INVALID = "(invalid)"
"""`event_type` of quarantined lines in `RecordCounts`."""
JSON_TYPES = ("number", "string", "boolean", "list", "object", "object_group", "empty_list", "null")
SCOPES = ("event", "common", "user")


def _property(description: str) -> dy.String:
    """A column with the name of a property, or of a property of an object."""
    return dy.String(
        nullable=True,
        regex=r"^[#a-zA-Z][a-zA-Z0-9_]{0,49}(\.[a-zA-Z][a-zA-Z0-9_]{0,49})*$",
        description=description,
    )


class _Record(ProductDayRow):
    """Columns of every record that was read."""

    occurred_at = utc("The record's own time (#time), converted to UTC.")
    log_date = dy.Date(description="Day of its log file.")
    log_file = dy.String(description="Landed piece that contains it.")
    log_line = dy.Int32(min=1, description="Line within the piece, from 1.")
    is_late = dy.Bool(description="Whether the day of its log file is later than its own.")
    account_id = nullable_text("#account_id; null while the user is not registered.")
    distinct_id = nullable_text("#distinct_id of a device or a guest.")
    user_id = dy.String(
        min_length=1,
        description="The record's own account, or else its distinct_id. The account of a distinct_id comes from other "
        "records: see identities.",
    )
    properties = dy.String(description="All properties, presets included, as compact JSON in the order sent.")

    @dy.rule()
    def day_is_of_its_time(cls):
        return cls.occurred_at.col.dt.date() == cls.day.col

    @dy.rule()
    def late_means_a_later_log(cls):
        return cls.is_late.col == (cls.log_date.col > cls.day.col)


class Events(
    _Record,
    key="demo_data/events",
    published=True,
    indexes=(("product", "day", "event_name"), ("user_id", "occurred_at")),
    **LANDED,
):
    """Events of all products, one row each: typed core columns, and all properties as JSON.

    In PostgreSQL the view `events_<product>` also has a typed column for each property of the product's taxonomy.

    A record that came twice has one row: records are identified by their #uuid, or without one by their line. Of copies
    that differ, the one of the latest log counts, so that records can be corrected by sending them again, with their
    #uuid, in a log of a later day; within one log, the copy whose JSON sorts last.

    Of track_first records with the same event and #first_check_id, only the earliest has a row. Records with the same
    event and #event_id are one row: track_update merges its properties into it, track_overwrite replaces it. All this
    happens within one day of one product: an update or a first record does not change rows of another day, and both
    days have a row.

    A record with times on two consecutive days (sent again with a corrected clock) counts on the earlier one, whichever
    came first. Copies that are further apart have a row on each of their days.
    """

    event_id = dy.String(
        primary_key=True,
        min_length=1,
        description="#uuid, or else a hash of the line.",
    )
    event_type = dy.String(check=lambda column: column.is_in(EVENT_TYPES), description="#type.")
    event_name = dy.String(min_length=1, description="#event_name.")
    overwrite_id = nullable_text("#event_id, under which later records change this one.")
    first_check_id = nullable_text("#first_check_id; only its first record counts.")
    ip = nullable_text("#ip.")
    os = nullable_text("#os.")
    os_version = nullable_text("#os_version.")
    app_version = nullable_text("#app_version.")
    country = nullable_text("#country, as sent.")
    country_code = nullable_text("#country_code, as sent.")
    language = nullable_text("#system_language.")
    manufacturer = nullable_text("#manufacturer.")
    device_model = nullable_text("#device_model.")
    network_type = nullable_text("#network_type.")
    carrier = nullable_text("#carrier.")
    zone_offset_h = dy.Float64(nullable=True, description="#zone_offset: hours that the user's clock is ahead of UTC.")


class UserOperations(_Record, key="demo_data/user_operations", **LANDED):
    """Records that change a user's properties, one row each; a record that came twice has one row."""

    operation_id = dy.String(primary_key=True, min_length=1, description="As event_id in events.")
    operation = dy.String(check=lambda column: column.is_in(OPERATIONS), description="#type.")


class RecordCounts(ProductDayRow, key="demo_data/record_counts", **LANDED):
    """Counts of the records of each kind, by their fate.

    `records = kept + duplicates + merged + not_first + quarantined` holds for every row.
    """

    event_type = dy.String(primary_key=True, description="#type; (invalid) for unreadable lines.")
    event_name = dy.String(primary_key=True, description="#event_name; empty for user operations and invalid lines.")
    records = count("Lines read.", least=1)
    kept = count("Records that became rows.")
    duplicates = count(
        "Records that came before, with the same #uuid or as the same line; or that have a row on the day before, with "
        "the same #uuid and another time."
    )
    differing = count("Duplicates with other contents than the kept record.")
    merged = count("Records that changed another record's row (track_update, track_overwrite).")
    not_first = count("track_first records after the first one of their #first_check_id.")
    quarantined = count("Lines in quarantine.")
    late = count("Records without duplicates whose log file is of a later day.")
    unknown_root_keys = count("Records without duplicates that have a root key unknown to the format.")

    @dy.rule()
    def differing_ones_are_duplicates(cls):
        return cls.differing.col <= cls.duplicates.col

    @dy.rule()
    def every_record_is_accounted_for(cls):
        return cls.records.col == (
            cls.kept.col + cls.duplicates.col + cls.merged.col + cls.not_first.col + cls.quarantined.col
        )


class PropertyTypes(ProductDayRow, key="demo_data/property_types", **LANDED):
    """JSON types of each property, in all records except duplicates and invalid ones."""

    event_name = dy.String(primary_key=True, description="#event_name; empty for user operations.")
    property = dy.String(primary_key=True, description="Name of the property, as sent.")
    json_type = dy.String(
        primary_key=True,
        check=lambda column: column.is_in(JSON_TYPES),
        description="number, string, boolean, list (of values), object, object_group (a list of objects), empty_list "
        "or null.",
    )
    records = count("Records with the property in this type.", least=1)
    first_at = utc("Earliest time of such a record.")


class LogFiles(ProductDayRow, key="demo_data/log_files", **LANDED):
    """The landed pieces from which a day was read."""

    log_file = dy.String(primary_key=True, description="Landed piece: day of the log, and hash of the content.")
    log_date = dy.Date(description="Day of the log file of the piece.")
    content_hash = dy.String(description="Hash of the landed content.")
    size_bytes = count("Size of the decompressed content, in bytes.")
    lines = count("Lines that are not empty.")
    status = dy.String(
        check=lambda column: column.is_in(["processed", "unreadable"]),
        description="processed; unreadable: damaged, without a readable line.",
    )


# --------------------------------------------------------------------------- configuration


class Products(Table, key="demo_data/products", subject="products", layer="bronze", **BY_PRODUCT):
    """Products whose logs are read, and the meaning of their events."""

    product = dy.String(primary_key=True, regex=PRODUCT, description="Short name, part of partition keys.")
    is_active = dy.Bool(description="Whether its new logs are read.")
    is_generated = dy.Bool(description="Whether its logs are generated here.")
    taxonomy_name = nullable_text("Name of its taxonomy; null if unknown.")
    taxonomy = nullable_text("The taxonomy, as JSON.")
    rules = nullable_text("The rules for generating its logs, as JSON.")
    rules_origin = nullable_text("Maker of the rules: the analyst, a language model, a person.")
    configuration = nullable_text("Configuration of the generated run, as JSON.")
    payment_event = nullable_text("Payment event; null if there are no payments.")
    amount_property = _property("Its property with the amount, in major units; a.b is property b of object a.")
    currency_property = _property("Its property with the currency (ISO 4217).")
    currency = nullable_text("Currency of payments that name none.")
    funnels = nullable_text("Funnels as JSON: lists of event names in the order of the steps.")


class DemoTaxonomy(ProductRow, key="demo_data/demo_taxonomy", subject="products", layer="bronze", **BY_PRODUCT):
    """Declared events and properties of products: one row per event and property.

    Every event also has a row of its own with an empty property.
    """

    scope = dy.String(
        primary_key=True,
        check=lambda column: column.is_in(SCOPES),
        description="event; common: sent with every event; user: a property of users.",
    )
    event_name = dy.String(primary_key=True, description="Event; empty for common and user properties.")
    property = dy.String(primary_key=True, description="Property, a.b when nested; empty for the event itself.")
    property_type = dy.String(
        nullable=True,
        check=lambda column: column.is_in(["number", "string", "boolean", "time", "list", "object", "object_group"]),
        description="Declared type; null for the event itself.",
    )
    alias = dy.String(description="Name for people.")
    # As an attribute it would hide the table's own description.
    text = dy.String(alias="description", description="Text of the sheet.")
    rule = nullable_text("The rule that the text holds, as JSON.")
    update = nullable_text("How a user property is sent: user_set, user_setOnce or user_add.")
    position = dy.Int32(min=0, description="Place in the sheet, from 0.")


class DemoRules(ProductRow, key="demo_data/demo_rules", subject="products", layer="bronze", **BY_PRODUCT):
    """The rules by which a product's data are generated."""

    section = dy.String(primary_key=True, description="Section of the rules, such as value_ranges.")
    name = dy.String(primary_key=True, description="Subject of the rule: a property, an event, a segment.")
    rule = dy.String(description="The rule, as JSON.")
    origin = dy.String(description="Maker of the rule: analyst, cache, or the name of a language model.")


class DemoUsers(ProductRow, key="demo_data/demo_users", subject="products", layer="bronze", **BY_PRODUCT):
    """The users that a product's data are generated for."""

    user_number = dy.Int64(primary_key=True, min=0, description="Number of the user, from 0.")
    account_id = nullable_text("#account_id; null for a user who never registers.")
    distinct_id = dy.String(min_length=1, description="#distinct_id.")
    segment = dy.String(min_length=1, description="Segment, such as power_user.")
    lifecycle_stage = dy.String(min_length=1, description="First stage of the user, such as installed.")
    signed_up_at = utc("Time of the sign-up.")
    name = nullable_text("Name in the style of the country.")
    country = nullable_text("Country, ISO 3166 code.")
    time_zone = nullable_text("Time zone, such as Asia/Seoul.")
    language = nullable_text("Language of the device.")
    os = nullable_text("Operating system.")
    os_version = nullable_text("Its version.")
    manufacturer = nullable_text("Maker of the device.")
    device_model = nullable_text("Model of the device.")
    carrier = nullable_text("Mobile carrier.")
    app_version = nullable_text("Version of the product.")
    properties = dy.String(description="First user properties, as JSON.")


class DemoLogs(ProductDayRow, key="demo_data/demo_logs", subject="products", layer="bronze", **BY_DAY):
    """Days of generated products whose log files have landed, with their run."""

    run = dy.String(min_length=1, description="Identity of the run: its rules, configuration and code.")
