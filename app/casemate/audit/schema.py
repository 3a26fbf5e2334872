"""The DDL of the audit schema. Root applies it: neither the migration nor the runtime account could."""

from collections.abc import Sequence

from casemate.audit.models import GENESIS, INSTALLATION

_TABLES = """
CREATE TABLE IF NOT EXISTS `{schema}`.`event` (
    `id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `stream` varchar(64) NOT NULL,
    `seq` bigint unsigned NOT NULL CHECK (`seq` > 0),
    `at` datetime(6) NOT NULL,
    `actor` varchar(64) NOT NULL,
    `actor_kind` varchar(20) NOT NULL,
    `actor_label` varchar(254) NOT NULL,
    `ip` varchar(45) NOT NULL,
    `user_agent` varchar(200) NOT NULL,
    `path` varchar(200) NOT NULL,
    `action` varchar(64) NOT NULL,
    `target_type` varchar(40) NOT NULL,
    `target_id` varchar(64) NOT NULL,
    `target_label` varchar(254) NOT NULL,
    `success` bool NOT NULL,
    `detail` json NOT NULL,
    `key_id` varchar(20) NOT NULL,
    `prev` char(64) NOT NULL,
    `mac` char(64) NOT NULL,
    UNIQUE KEY `one_event_a_number` (`stream`, `seq`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
;;
CREATE INDEX IF NOT EXISTS `event_by_action` ON `{schema}`.`event` (`stream`, `action`, `seq`)
;;
CREATE INDEX IF NOT EXISTS `event_by_time` ON `{schema}`.`event` (`stream`, `at`)
;;
CREATE INDEX IF NOT EXISTS `event_by_target` ON `{schema}`.`event` (`stream`, `target_id`, `seq`)
;;
CREATE TABLE IF NOT EXISTS `{schema}`.`chain_head` (
    `stream` varchar(64) NOT NULL PRIMARY KEY,
    `seq` bigint unsigned NOT NULL,
    `mac` char(64) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
;;
INSERT IGNORE INTO `{schema}`.`chain_head` (`stream`, `seq`, `mac`) VALUES ('{stream}', 0, '{genesis}')
"""

_TRIGGERS = """
CREATE OR REPLACE TRIGGER `{schema}`.`event_never_changes` BEFORE UPDATE ON `{schema}`.`event`
    FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'An audit event is never changed.'
;;
CREATE OR REPLACE TRIGGER `{schema}`.`event_never_goes` BEFORE DELETE ON `{schema}`.`event`
    FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'An audit event is never deleted.'
;;
CREATE OR REPLACE TRIGGER `{schema}`.`chain_head_begins_at_nothing` BEFORE INSERT ON `{schema}`.`chain_head`
    FOR EACH ROW IF NOT (NEW.`seq` = 0 AND NEW.`mac` = '{genesis}') THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'An audit chain begins with no event.';
    END IF
;;
CREATE OR REPLACE TRIGGER `{schema}`.`chain_head_never_goes` BEFORE DELETE ON `{schema}`.`chain_head`
    FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'The head of an audit chain is never deleted.'
;;
CREATE OR REPLACE TRIGGER `{schema}`.`chain_head_steps_by_one` BEFORE UPDATE ON `{schema}`.`chain_head`
    FOR EACH ROW IF NOT (NEW.`seq` = OLD.`seq` + 1 AND NEW.`stream` = OLD.`stream`) THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'The head of an audit chain only steps on by one.';
    END IF
"""


def statements(schema: str) -> Sequence[str]:
    """Idempotent, in order, without a delimiter at the end."""
    text = (_TABLES + ";;" + _TRIGGERS).format(schema=schema, stream=INSTALLATION, genesis=GENESIS)
    return [statement.strip() for statement in text.split(";;")]


def script(schema: str) -> str:
    """The same for the `mariadb` client, for which a trigger's inner semicolon would end the statement."""
    return "DELIMITER ;;\n" + "".join(f"{statement}\n;;\n" for statement in statements(schema)) + "DELIMITER ;\n"
