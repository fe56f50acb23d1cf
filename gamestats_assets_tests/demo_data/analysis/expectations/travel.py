"""What a person says of the taxonomy `travel`."""

from gamestats_assets.demo_data.taxonomies.product import ProductInfo
from gamestats_assets_tests.demo_data.analysis.expectations.language import (
    REGISTERED,
    again,
    between,
    carriers_by_country,
    carries,
    does_not_need,
    either,
    ends_session,
    free_text,
    likelier,
    moves_to,
    needs,
    not_of_users,
    of_users,
    once,
    one_of,
    path,
    starts_session,
    true_at_first,
    updates,
)

PRODUCT = ProductInfo(industry="travel", platform="mobile", name="Window Seat")

EXPECTED = (
    starts_session("OpenApp"),
    ends_session("CloseApp"),
    once("SignUp"),
    again("LogIn", "CompleteBooking", "SearchFlights"),
    moves_to("SignUp", REGISTERED),
    path("SearchFlights", "ViewFlight", "SelectFlight", "EnterPassengerDetails", "StartPayment", "CompleteBooking"),
    path("StartPayment", "FailPayment"),
    either("CompleteBooking", "FailPayment"),
    path("SearchFlights", "FilterFlights"),
    needs("LogIn", "SignUp"),
    needs("CancelBooking", "CompleteBooking"),
    needs("ReceiveRefund", "CancelBooking"),
    needs("CheckIn", "CompleteBooking"),
    needs("BoardFlight", "CheckIn"),
    needs("ReviewTrip", "BoardFlight"),
    needs("RemoveSavedDestination", "SaveDestination"),
    needs("OpenFareAlert", "SetFareAlert"),
    does_not_need("CompleteBooking", "CancelBooking"),
    does_not_need("ReadTravelGuide", "SearchFlights"),
    not_of_users("ImportFares"),
    of_users("CompleteBooking", "BoardFlight"),
    between("Passengers", 1, 9, whole=True),
    between("Fare", 35, 2900),
    one_of("CabinClass", "Economy", "PremiumEconomy", "Business", "First"),
    one_of("BaggageKilograms", 5, 10, 15, 23, 32),
    free_text("ReviewText"),
    carriers_by_country("Carrier", "Country", KR="SKT", JP="SoftBank", US="Verizon"),
    true_at_first("IsFirstBooking"),
    carries("Fare", "SelectFlight"),
    carries("Destination", "ViewFlight", "SelectFlight"),
    carries("PaymentMethod", "CompleteBooking", "FailPayment"),
    updates("SignUp", "SignUpTime", "set_once", "{{#time}}"),
    updates("CompleteBooking", "TotalBookings", "increment", 1),
    updates("CompleteBooking", "TotalFarePaid", "increment", "{{TotalFare}}"),
    updates("ReceiveRefund", "TotalRefundAmount", "increment", "{{RefundAmount}}"),
    updates("ReachMemberTier", "MemberTier", "set", "{{NewTier}}"),
    likelier("CompleteBooking"),
)

NOT_YET = (
    needs("SelectSeat", "SelectFlight"),
    needs("AddBaggage", "SelectFlight"),
)
"""What a person says, and the analyst does not."""
