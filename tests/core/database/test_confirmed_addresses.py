"""Migration 0016 on an installation that has addresses and webhooks: nothing unconfirmed is used, no secret is left."""

from builders import make_study, make_user
from sqlalchemy import text

from core.database import migrate
from core.database.session import Database, session_scope
from core.settings import Settings


def test_addresses_are_asked_for_anew_and_webhooks_end_with_their_secrets(
    settings: Settings, owner_database: Database
) -> None:
    with session_scope(owner_database) as session:
        study_id, user_id = make_study(session).id, make_user(session).id
        make_user(session)
    migrate.downgrade(settings, "0015")
    hook = {"user_id": user_id, "study_id": study_id, "url": "https://hooks.example.org/x", "secret": "whsec_clear"}
    with owner_database.engine.begin() as connection:
        connection.execute(text("update app_user set email = 'maria@example.org' where id = :id"), {"id": user_id})
        connection.execute(
            text(
                "insert into alert_subscription (user_id, study_id, channel, wanted, url, secret) "
                "values (:user_id, :study_id, 'webhook', '{}', :url, :secret)"
            ),
            hook,
        )
    migrate.upgrade(settings)
    with owner_database.engine.begin() as connection:
        emails = connection.execute(text("select email from app_user where email is not null")).all()
        asked = connection.execute(text("select user_id, address, sent_at, ended_at from email_confirmation")).all()
        left = connection.execute(text("select row_to_json(s)::text, s.ended_at from alert_subscription s")).one()
    assert emails == []
    assert [tuple(row) for row in asked] == [(user_id, "maria@example.org", None, None)]
    assert "whsec_clear" not in left[0]
    assert left[1] is not None, "its receiver knows a secret that there is no more"
