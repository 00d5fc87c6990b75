CREATE OR REPLACE USER service@'172.30.32.%' IDENTIFIED BY 'a-database-of-tests';
CREATE OR REPLACE USER service@'172.30.33.%' IDENTIFIED BY 'a-database-of-tests';
