"""Bronze: what the log files say, and what is configured for a product."""

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
"""`event_type` under which `RecordCounts` counts the lines that are in quarantine."""
JSON_TYPES = ("number", "string", "boolean", "list", "object", "object_group", "empty_list", "null")
SCOPES = ("event", "common", "user")


def _property(description: str) -> dy.String:
    """A column that names a property, or one of an object."""
    return dy.String(
        nullable=True,
        regex=r"^[#a-zA-Z][a-zA-Z0-9_]{0,49}(\.[a-zA-Z][a-zA-Z0-9_]{0,49})*$",
        description=description,
    )


class _Record(ProductDayRow):
    """Columns of every record that was read."""

    occurred_at = utc("The record's own time (#time), its zone offset taken off.")
    log_date = dy.Date(description="Day of the log file that brought it.")
    log_file = dy.String(description="Landed piece it stands in.")
    log_line = dy.Int32(min=1, description="Line within the piece, from 1.")
    is_late = dy.Bool(description="Whether its log file is of a later day than the record.")
    account_id = nullable_text("#account_id; null while the user is not registered.")
    distinct_id = nullable_text("#distinct_id, of a device or a guest.")
    user_id = dy.String(
        min_length=1,
        description="The account that the record itself tells, or else its distinct_id. Which account that one belongs "
        "to, other records tell: see identities.",
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
    """Events, one row each, whatever the product: typed core columns, and all properties as JSON.

    In PostgreSQL the view `events_<product>` has a typed column for each property of the product's taxonomy, too.

    A record that came twice stands once: it is known by its #uuid, or, without one, by its line. Of copies that say
    different things that of the latest log counts, so that records are corrected by sending them again, with their
    #uuid, in a log of a later day; of one log's copies that whose JSON sorts last.

    Of track_first records of one event and one #first_check_id the earliest stands. Records of one event and one
    #event_id are one row: track_update merges its properties into it, track_overwrite replaces it. All this within one
    day of one product: what an update, or a first record, of another day would change stays as it is, and both days
    have a row.

    A record that came with times on two consecutive days (sent again with a corrected clock) stands on the earlier one,
    whichever came first. Copies that are further apart are not looked for: each of their days has a row.
    """

    event_id = dy.String(
        primary_key=True,
        min_length=1,
        description="#uuid; without one a hash of the line.",
    )
    event_type = dy.String(check=lambda column: column.is_in(EVENT_TYPES), description="#type.")
    event_name = dy.String(min_length=1, description="#event_name.")
    overwrite_id = nullable_text("#event_id, by which later records change this one.")
    first_check_id = nullable_text("#first_check_id, of which only the first record counts.")
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
    zone_offset_h = dy.Float64(nullable=True, description="#zone_offset: hours that the user's clock is before UTC.")


class UserOperations(_Record, key="demo_data/user_operations", **LANDED):
    """Records that change a user's properties, one row each; a record that came twice stands once."""

    operation_id = dy.String(primary_key=True, min_length=1, description="As event_id of events.")
    operation = dy.String(check=lambda column: column.is_in(OPERATIONS), description="#type.")


class RecordCounts(ProductDayRow, key="demo_data/record_counts", **LANDED):
    """What became of the records of each kind.

    `records = kept + duplicates + merged + not_first + quarantined` holds for every row.
    """

    event_type = dy.String(primary_key=True, description="#type; (invalid) for lines that nobody can read.")
    event_name = dy.String(primary_key=True, description="#event_name; empty for user operations and invalid lines.")
    records = count("Lines read.", least=1)
    kept = count("Records that became rows.")
    duplicates = count(
        "Records that had come before, with the same #uuid, or as the same line; or that stand on the day before, with "
        "the same #uuid and another time."
    )
    differing = count("Those of the duplicates that say something else than the record that stands.")
    merged = count("Records that changed the row of another one (track_update, track_overwrite).")
    not_first = count("track_first records that came after the first one of their #first_check_id.")
    quarantined = count("Lines that are in quarantine.")
    late = count("Records, duplicates left out, whose log file is of a later day.")
    unknown_root_keys = count("Records, duplicates left out, with a root key that the format does not have.")

    @dy.rule()
    def differing_ones_are_duplicates(cls):
        return cls.differing.col <= cls.duplicates.col

    @dy.rule()
    def every_record_is_accounted_for(cls):
        return cls.records.col == (
            cls.kept.col + cls.duplicates.col + cls.merged.col + cls.not_first.col + cls.quarantined.col
        )


class PropertyTypes(ProductDayRow, key="demo_data/property_types", **LANDED):
    """Which JSON types each property had, in all records but duplicates and invalid ones."""

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
    """The landed pieces that a day was read from."""

    log_file = dy.String(primary_key=True, description="Landed piece: day of the log, and hash of the content.")
    log_date = dy.Date(description="Day of the log file that the piece is of.")
    content_hash = dy.String(description="Hash of the landed content.")
    size_bytes = count("Size of the content, in bytes, decompressed.")
    lines = count("Lines that are not empty.")
    status = dy.String(
        check=lambda column: column.is_in(["processed", "unreadable"]),
        description="processed; unreadable: damaged, so that no line of it was read.",
    )


# --------------------------------------------------------------------------- what is configured


class Products(Table, key="demo_data/products", subject="products", layer="bronze", **BY_PRODUCT):
    """Products whose logs are read, and what their events mean."""

    product = dy.String(primary_key=True, regex=PRODUCT, description="Short name: a partition key.")
    is_active = dy.Bool(description="Whether new logs of it are read.")
    is_generated = dy.Bool(description="Whether its logs are generated here.")
    taxonomy_name = nullable_text("Taxonomy it sends, where one is known.")
    taxonomy = nullable_text("The taxonomy as it was read, as JSON.")
    rules = nullable_text("The rules that its logs are generated by, as JSON.")
    rules_origin = nullable_text("Who made the rules: the analyst, a language model, a person.")
    configuration = nullable_text("Configuration of the generated run, as JSON.")
    payment_event = nullable_text("Event that is a payment; null where nobody pays.")
    amount_property = _property("Its property that is the amount, in major units; a.b is the property b of a.")
    currency_property = _property("Its property that is the currency (ISO 4217).")
    currency = nullable_text("Currency of payments that tell none.")
    funnels = nullable_text("Funnels as JSON: a list of lists of event names, each in the order of the steps.")


class DemoTaxonomy(ProductRow, key="demo_data/demo_taxonomy", subject="products", layer="bronze", **BY_PRODUCT):
    """What a product says that it sends: one row per event and property.

    Every event also has a row of its own, whose property is empty.
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
    """The rules that a product's data are generated by."""

    section = dy.String(primary_key=True, description="Section of the rules, such as value_ranges.")
    name = dy.String(primary_key=True, description="What the rule is about: a property, an event, a segment.")
    rule = dy.String(description="The rule, as JSON.")
    origin = dy.String(description="Who made it, such as analyst, cache, or the name of a language model.")


class DemoUsers(ProductRow, key="demo_data/demo_users", subject="products", layer="bronze", **BY_PRODUCT):
    """The users that a product's data are generated for."""

    user_number = dy.Int64(primary_key=True, min=0, description="Number of the user, from 0.")
    account_id = nullable_text("#account_id; null for a user who never registers.")
    distinct_id = dy.String(min_length=1, description="#distinct_id.")
    segment = dy.String(min_length=1, description="Segment, such as power_user.")
    lifecycle_stage = dy.String(min_length=1, description="Stage that the user begins in, such as installed.")
    signed_up_at = utc("When the user signs up.")
    name = nullable_text("Name, as usual in the country.")
    country = nullable_text("Country, ISO 3166 code.")
    time_zone = nullable_text("Time zone, such as Asia/Seoul.")
    language = nullable_text("Language of the device.")
    os = nullable_text("Operating system.")
    os_version = nullable_text("Its version.")
    manufacturer = nullable_text("Maker of the device.")
    device_model = nullable_text("Model of the device.")
    carrier = nullable_text("Mobile carrier.")
    app_version = nullable_text("Version of the product.")
    properties = dy.String(description="The user properties that the user begins with, as JSON.")


class DemoLogs(ProductDayRow, key="demo_data/demo_logs", subject="products", layer="bronze", **BY_DAY):
    """Days of generated products whose log files have landed, and the run that they are of."""

    run = dy.String(min_length=1, description="Names the run: the rules, the configuration and the code it is made by.")
